import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bool,
  bytes,
  date,
  decimal,
  float64,
  fromRows,
  int64,
  json,
  list,
  struct,
  text,
  time,
  timestamptz,
  uuid,
} from "../../../src/data/index.ts";

const schema = {
  n: int64(),
  f: float64(),
  b: bool().nullable(),
  d: decimal(20, 4),
  t: text().nullable(),
  raw: bytes(),
  day: date(),
  clock: time(),
  at: timestamptz(),
  id: uuid(),
  any: json(),
  tags: list(text().nullable()),
  pair: struct({ a: int64(), b: text() }),
};
const texts = ["", null, "a,b", 'say "x"', "two\nlines", "cr\r\nlf", "NULL", " spaces ", "ü 🦆", "\\N"];
const row = (index: number) => ({
  n: BigInt(index) * 2n ** 40n,
  f: [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e300][index % 5] as number,
  b: [true, false, null][index % 3] as boolean | null,
  d: `${index}.1250`,
  t: texts[index % texts.length] as string | null,
  raw: Uint8Array.of(0, index % 256, 255, 34, 92),
  day: "2026-01-31",
  clock: "10:30:00.5",
  at: "2026-01-31T10:30:00.123456Z",
  id: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
  any: { deep: [1, "x", null] },
  tags: ["x", null, 'q"'],
  pair: { a: BigInt(index), b: "y" },
});

for (const [what, count] of [
  ["few rows, which stand in the query,", 20],
  ["many rows, which go through files,", 1200],
] as const)
  test(`${what} come back as they were, whatever their types`, async () => {
    const given = Array.from({ length: count }, (_, index) => row(index));
    const rows = await fromRows(schema, given).collect();
    assert.equal(rows.length, count);
    assert.deepEqual(rows, given);
  });

test("rows of an async iterable are there when all of them have come", async () => {
  async function* coming() {
    for (let n = 0; n < 1500; n++) yield { n: BigInt(n), t: n % 2 === 0 ? null : "odd" };
  }
  const frame = await fromRows({ n: int64(), t: text().nullable() }, coming());
  assert.equal(await frame.filter((c) => c.t.isNull()).count(), 750);
  assert.equal(await frame.count(), 1500);
  async function* failing() {
    yield { n: 1n };
    throw new Error("the source ended");
  }
  await assert.rejects(fromRows({ n: int64() }, failing()), /the source ended/);
  async function* wrong() {
    yield { n: 1n };
    yield { n: "x" as never };
  }
  await assert.rejects(fromRows({ n: int64() }, wrong()), /Row 2 of fromRows\(\), column "n" is "x"/);
});

test("a text with a NUL is a text like others", async () => {
  const rows = Array.from({ length: 700 }, (_, n) => ({ t: n === 3 ? "a\0b" : "c" }));
  assert.equal(
    (
      await fromRows({ t: text() }, rows)
        .filter((c) => c.t.ne("c"))
        .first()
    )?.t,
    "a\0b",
  );
});

test("one column of nulls keeps all of its rows", async () => {
  const rows = Array.from({ length: 700 }, () => ({ t: null }));
  assert.equal(await fromRows({ t: text().nullable() }, rows).count(), 700);
});
