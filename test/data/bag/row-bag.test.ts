import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { evaluator } from "../../../src/data/bag/evaluate.ts";
import { type BagResult, bag } from "../../../src/data/bag/index.ts";
import { type Columns, columnsProxy } from "../../../src/data/expr/columns.ts";
import { type Condition, nodeOf } from "../../../src/data/expr/expression.ts";
import {
  bool,
  date,
  decimal,
  float64,
  fromRows,
  int32,
  int64,
  list,
  struct,
  text,
  timestamp,
} from "../../../src/data/index.ts";
import { fieldsOf } from "../../../src/data/schema/column-type.ts";
import { fc, runs } from "../../random.ts";

const folder = mkdtempSync(join(tmpdir(), "pawl-test-records-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(...lines: readonly string[]): string {
  const path = join(folder, `file-${++files}.jsonl`);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return path;
}

const one = { workers: 1 };

/** A result whose counts add up. */
async function checked<T>(work: Promise<BagResult<T>>): Promise<BagResult<T>> {
  const result = await work;
  assert.equal(result.read, result.kept + result.dropped + result.malformed);
  return result;
}

test("a schema makes rows of lines: what is missing is null, what is more is left out, what does not fit is malformed", async () => {
  const path = file(
    '{"id":1,"name":"ada","more":true}',
    '{"name":"bob","id":9007199254740993}',
    '{"id":3,"name":null}',
    '{"id":"4","name":"a text for a number"}',
    '{"id":5}',
    '{"id":6.5,"name":"x"}',
    "[7]",
    '{"id":8,"name":8}',
    "{bad",
  );
  const schema = { id: int64(), name: text().nullable() };
  assert.deepEqual(await checked(bag.jsonl(path, { schema, malformed: "drop" }).collect(one)), {
    value: [
      { id: 1n, name: "ada" },
      { id: 9007199254740993n, name: "bob" },
      { id: 3n, name: null },
      { id: 5n, name: null },
    ],
    read: 9,
    kept: 4,
    dropped: 0,
    malformed: 5,
    complete: true,
  });
  await assert.rejects(bag.jsonl(file('{"id":"x"}'), { schema }).collect(one), {
    code: "bag.malformed",
    message: /file-\d+\.jsonl.*has "x" as "id", which is not int64/,
  });
});

test("columns of each type have the values that rows of frames have", async () => {
  const schema = {
    b: bool(),
    i: int32(),
    f: float64(),
    d: decimal(20, 4),
    day: date(),
    at: timestamp(),
    l: list(int64()),
    s: struct({ x: text() }),
  };
  const path = file(
    '{"b":true,"i":1,"f":2,"d":1234567890123456.7890,"day":"2026-01-31","at":"2026-01-31T10:00:00.123456","l":[1,9007199254740993],"s":{"x":"y","z":1}}',
  );
  const { value } = await checked(bag.jsonl(path, { schema }).collect(one));
  assert.deepEqual(value, [
    {
      b: true,
      i: 1,
      f: 2,
      d: "1234567890123456.7890",
      day: "2026-01-31",
      at: "2026-01-31T10:00:00.123456",
      l: [1n, 9007199254740993n],
      s: { x: "y" },
    },
  ]);
});

test("where and select take expressions, go on with functions, and count what they leave out", async () => {
  const path = file(
    '{"level":"ERROR","message":"disk full","ms":120}',
    '{"level":"INFO","message":"up","ms":3}',
    '{"level":"ERROR","message":"no route","ms":null}',
    '{"level":"ERR',
  );
  const schema = { level: text(), message: text(), ms: int32().nullable() };
  const logs = bag.jsonl(path, { schema, malformed: "drop" });
  const errors = logs.where((row) => row.level.eq("ERROR"));
  assert.deepEqual(await checked(errors.pluck("message").collect(one)), {
    value: ["disk full", "no route"],
    read: 4,
    kept: 2,
    dropped: 1,
    malformed: 1,
    complete: true,
  });
  const slow = logs
    .where((row) => row.ms.gt(100))
    .select("message")
    .map((row) => row.message.toUpperCase());
  assert.deepEqual((await slow.collect(one)).value, ["DISK FULL"]);
  // A null is neither above nor not above.
  assert.equal((await logs.where((row) => row.ms.gt(100).not()).count(one)).value, 1);
});

test("a mistake in a column, a type or a function is refused at the call", () => {
  const logs = bag.jsonl("a.jsonl", { schema: { level: text(), ms: int32() } });
  // @ts-expect-error there is no such column
  assert.throws(() => logs.where((row) => row.levle.eq("x")), { code: "data.column", message: /level/ });
  // @ts-expect-error it is not a condition
  assert.throws(() => logs.where((row) => row.ms), { code: "data.types" });
  // @ts-expect-error there is no such column
  assert.throws(() => logs.select("levle"), { code: "data.column" });
  assert.throws(() => logs.where((row) => row.level.matches(/x/)), {
    code: "bag.expression",
    message: /matches/,
  });
  assert.throws(() => bag.lines("a.log", { schema: { a: text() } } as object), { code: "argument.option" });
});

test("a bag of any items becomes a frame of a schema, or is refused by the item that does not fit", async () => {
  const path = file('{"id":9007199254740993,"name":"ada"}', '{"id":2,"name":null,"more":1}');
  const schema = { id: int64(), name: text().nullable() };
  // JSON.parse has lost digits of it by then.
  await assert.rejects(bag.jsonl(path).toFrame(schema, one), {
    code: "bag.schema",
    message: /jsonl:1: .*is not int64/,
  });
  const small = bag.jsonl<{ id: number }>(path).filter(({ id }) => id < 10);
  assert.deepEqual(await (await small.toFrame(schema, one)).collect(), [{ id: 2n, name: null }]);
  const exact = await bag
    .jsonl(path, { schema })
    .where((row) => row.id.gt(2))
    .toFrame(schema, one);
  assert.deepEqual(await exact.collect(), [{ id: 9007199254740993n, name: "ada" }]);
  await assert.rejects(bag.of([{ id: 1 }, { id: "x" }]).toFrame({ id: int64() }, one), {
    code: "bag.schema",
    message: /has "x" as "id", which is not int64/,
  });
});

test("conditions mean in bags what they mean in frames", async () => {
  const schema = { t: text().nullable(), n: int64().nullable(), f: float64().nullable() };
  const fields = fieldsOf(schema, "it");
  const rows = fc.array(
    fc.record(
      {
        t: fc.option(fc.constantFrom("", "a", "ab", "B", "\u{1f600}", "\uffee", "ä")),
        n: fc.option(fc.bigInt(-3n, 3n)),
        f: fc.option(fc.constantFrom(0, 1, -1.5, 2)),
      },
      { noNullPrototype: true },
    ),
    { maxLength: 30 },
  );
  const conditions: readonly ((c: Columns<typeof schema>) => Condition)[] = [
    (c) => c.t.eq("a"),
    (c) => c.t.lt("\u{1f600}"),
    (c) => c.t.in(["a", "B"]).not(),
    (c) => c.t.isNull().or(c.n.gt(0)),
    (c) => c.t.isNotNull().and(c.n.le(1)),
    (c) => c.n.between(-1, 2),
    (c) => c.n.mul(2).add(1).sub(c.n).ge(c.f),
    (c) => c.n.mod(2).eq(0),
    (c) => c.f.div(c.n).gt(0.5),
    (c) => c.n.neg().lt(c.f),
    (c) => c.t.length().gt(1),
    (c) => c.t.contains("a").or(c.t.startsWith("B")).or(c.t.endsWith("ä")),
  ];
  await fc.assert(
    fc.asyncProperty(rows, fc.constantFrom(...conditions), async (given, condition) => {
      const holds = evaluator(nodeOf(condition(columnsProxy<typeof schema>(fields))));
      const expected = await fromRows(schema, given).filter(condition).collect();
      assert.deepEqual(
        given.filter((row) => holds(row) === true),
        expected,
      );
    }),
    { numRuns: runs(30) },
  );
});
