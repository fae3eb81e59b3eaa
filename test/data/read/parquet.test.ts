import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { daysOf, microsOf } from "../../../src/data/read/conditions.ts";
import { footerLength, parseFooter } from "../../../src/data/read/parquet/footer.ts";
import { prune } from "../../../src/data/read/parquet/prune.ts";
import type { ColumnTest, Comparable } from "../../../src/data/read/parquet/statistics.ts";
import { writeStruct } from "../../../src/data/read/parquet/thrift.ts";
import { fc, runs } from "../../random.ts";
import { Referee, temporaryFolder } from "./scene.ts";

const folder = temporaryFolder();
let referee: Referee;
let file: Buffer;
const path = join(folder, "t.parquet");
const ROWS = 20_000;

before(async () => {
  referee = await Referee.open();
  await referee.run(
    `COPY (SELECT i::INTEGER AS id, (i * 7919 % 1000)::BIGINT AS big, CASE WHEN i % 11 = 0 THEN NULL ELSE i / 8 END::DOUBLE AS amount,
      CASE WHEN i >= 16384 THEN NULL ELSE 'user ' || lpad((i // 100)::VARCHAR, 4, '0') END AS "User é", DATE '2024-01-01' + (i // 500)::INTEGER AS day,
      TIMESTAMP '1969-12-31 23:00:00' + to_seconds(i) AS at, TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(i) AS moment, i % 3 = 0 AS flag,
      (i - 10000)::USMALLINT // 1 AS small, {'a': i, 'b': [i, NULL, i + 1]} AS nested, [i::VARCHAR] AS list, ((i - 20000) / 100)::DECIMAL(9, 2) AS price, ((i - 20000) / 100)::DECIMAL(38, 4) AS huge
      FROM range(10000, ${ROWS + 10_000}) AS r(i)) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 2048, COMPRESSION zstd)`,
  );
  file = readFileSync(path);
});

after(() => referee.close());

function footerOf(bytes: Buffer) {
  const length = footerLength(bytes.subarray(-8), bytes.length, "t.parquet");
  return parseFooter(bytes.subarray(bytes.length - 8 - length, bytes.length - 8), bytes.length, "t.parquet");
}

function pruned(bytes: Buffer, columns: readonly string[] | null, tests: readonly ColumnTest[]) {
  const made = prune(footerOf(bytes), { columns, tests });
  const spans = made.spans.map(({ offset, length }) => bytes.subarray(offset, offset + length));
  const whole = Buffer.concat([made.head, ...spans, made.foot]);
  assert.equal(whole.length, made.bytes);
  return { whole, rows: made.rows };
}

describe("a part of a Parquet file", () => {
  test("is a Parquet file with the columns that are wanted, nested ones too, and all of their rows", async () => {
    assert.ok(writeStruct(footerOf(file).struct).equals(footerBytes(file)));
    for (const columns of [["nested", "ID"], ["USER é"], ["list", "price", "moment"], null]) {
      const { whole, rows } = pruned(file, columns, []);
      const part = join(folder, "part.parquet");
      writeFileSync(part, whole);
      assert.equal(rows, ROWS);
      const names = columns === null ? "*" : columns.map((name) => `"${name}"`).join(", ");
      const hash = (from: string) =>
        referee.rows(`SELECT count(*) AS n, sum(hash(t)) AS h FROM (SELECT ${names} FROM '${from}') AS t`);
      assert.deepEqual(await hash(part), await hash(path));
    }
  });

  test("without columns still tells how many rows there are", async () => {
    const { whole, rows } = pruned(file, [], []);
    writeFileSync(join(folder, "none.parquet"), whole);
    assert.equal(rows, ROWS);
    assert.deepEqual(await referee.rows(`SELECT count(*) AS n FROM '${folder}/none.parquet'`), [
      { n: String(ROWS) },
    ]);
  });

  test("holds every row that meets the conditions, whatever row groups are left out", async () => {
    const value = (kind: Comparable["kind"], of: bigint | number | string | boolean) =>
      ({ kind, value: of }) as Comparable;
    const columns = fc.oneof(
      fc
        .integer({ min: 9000, max: 31_000 })
        .map((n) => ({ column: "id", sql: `${n}`, value: value("int", BigInt(n)) })),
      fc
        .integer({ min: -5, max: 1005 })
        .map((n) => ({ column: "big", sql: `${n}`, value: value("int", BigInt(n)) })),
      fc
        .integer({ min: 1000, max: 4000 })
        .map((n) => ({ column: "amount", sql: `${n}.5`, value: value("float", n + 0.5) })),
      fc
        .integer({ min: 90, max: 310 })
        .map((n) => ({ column: "User é", sql: `'user 0${n}'`, value: value("text", `user 0${n}`) })),
      fc.integer({ min: 0, max: 50 }).map((n) => {
        const day = new Date(Date.UTC(2024, 0, 15 + n)).toISOString().slice(0, 10);
        return { column: "day", sql: `DATE '${day}'`, value: value("date", daysOf(day) as bigint) };
      }),
      fc.integer({ min: 9000, max: 31_000 }).map((n) => {
        const at = new Date((n - 3600) * 1000).toISOString().slice(0, -1);
        return {
          column: "at",
          sql: `TIMESTAMP '${at}'`,
          value: value("timestamp", microsOf(at, false) as bigint),
        };
      }),
      fc.integer({ min: 9000, max: 31_000 }).map((n) => {
        const at = new Date(Date.UTC(2024, 0) + n * 1000).toISOString();
        return {
          column: "moment",
          sql: `TIMESTAMPTZ '${at}'`,
          value: value("timestamptz", microsOf(at, true) as bigint),
        };
      }),
      fc.integer({ min: -11_000, max: 11_000 }).chain((n) =>
        fc.constantFrom("price", "huge").map((column) => ({
          column,
          sql: `${n / 100}`,
          value: { kind: "decimal" as const, value: BigInt(n), scale: 2 },
        })),
      ),
      fc.boolean().map((is) => ({ column: "flag", sql: String(is), value: value("boolean", is) })),
    );
    const operators = { eq: "=", lt: "<", le: "<=", gt: ">", ge: ">=" } as const;
    const one = fc.tuple(columns, fc.constantFrom(...(Object.keys(operators) as (keyof typeof operators)[])));
    let left = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 2 }), async (conditions) => {
        const tests = conditions.map(([{ column, value }, op]): ColumnTest => ({ column, op, value }));
        const where = conditions
          .map(([{ column, sql }, op]) => `"${column}" ${operators[op]} ${sql}`)
          .join(" AND ");
        const { whole, rows } = pruned(file, null, tests);
        left += rows;
        writeFileSync(join(folder, "some.parquet"), whole);
        const kept = (from: string) =>
          referee.rows(`SELECT count(*) AS n, sum(id) AS s FROM '${from}' WHERE ${where}`);
        assert.deepEqual(await kept(join(folder, "some.parquet")), await kept(path));
      }),
      { numRuns: runs(120) },
    );
    // More than half of what was asked for could be left out.
    assert.ok(left < (runs(120) * ROWS) / 2);
  });

  test("leaves out row groups by their nulls", () => {
    assert.equal(pruned(file, ["id"], [{ column: "User é", op: "notNull" }]).rows < ROWS, true);
    assert.equal(pruned(file, ["id"], [{ column: "id", op: "isNull" }]).rows, 0);
    assert.equal(pruned(file, ["id"], [{ column: "amount", op: "isNull" }]).rows, ROWS);
  });

  test("keeps row groups that may hold a NaN where greater ones are wanted", async () => {
    const nan = join(folder, "nan.parquet");
    await referee.run(
      `COPY (SELECT CASE WHEN i = 5 THEN 'NaN'::DOUBLE ELSE i END AS x FROM range(10) AS r(i)) TO '${nan}'`,
    );
    const larger: ColumnTest = { column: "x", op: "gt", value: { kind: "float", value: 1e9 } };
    assert.equal(pruned(readFileSync(nan), null, [larger]).rows, 10);
    // No writer keeps a NaN in its statistics.
    assert.equal(pruned(file, null, [{ ...larger, column: "amount" }]).rows, ROWS);
  });
});

function footerBytes(bytes: Buffer): Buffer {
  const length = footerLength(bytes.subarray(-8), bytes.length, "t");
  return bytes.subarray(bytes.length - 8 - length, bytes.length - 8);
}

describe("a footer that lies", () => {
  const refused = (bytes: Buffer, why: RegExp) =>
    assert.throws(
      () => footerOf(bytes),
      (error: Error) => {
        assert.match(error.message, why);
        assert.match(
          error.message,
          /^t\.parquet is cut off, damaged, or not a Parquet file: .*\. Fetch or write it again\.$/,
        );
        return true;
      },
    );

  test("of its own length, or of no length at all, is refused", () => {
    refused(Buffer.from("id,amount\n1,2\n"), /it does not end as a Parquet file does/);
    const long = Buffer.from(file);
    long.writeUInt32LE(0xffff_fff0, long.length - 8);
    refused(long, /its footer would be of 4294967280 bytes/);
    const short = Buffer.from(file);
    short.writeUInt32LE(10, short.length - 8);
    refused(short, /its footer cannot be read/);
    assert.throws(
      () => footerOf(Buffer.concat([file.subarray(0, -4), Buffer.from("PARE")])),
      /is an encrypted Parquet file/,
    );
  });

  test("of where its columns lie, of its rows, or of its schema is refused", () => {
    const change = (edit: (footer: ReturnType<typeof footerOf>) => void): Buffer => {
      const footer = footerOf(file);
      edit(footer);
      const struct = writeStruct(footer.struct);
      const end = Buffer.alloc(8);
      end.writeUInt32LE(struct.length);
      end.write("PAR1", 4);
      return Buffer.concat([file.subarray(0, file.length - 8 - footerBytes(file).length), struct, end]);
    };
    const field = (id: number, value: bigint) => (meta: Map<number, unknown>) =>
      meta.set(id, { type: 6, value });
    const chunk = ({ rowGroups }: ReturnType<typeof footerOf>) =>
      rowGroups[1]?.chunks[2]?.meta as Map<number, unknown>;
    refused(
      change((footer) => field(9, 1n << 40n)(chunk(footer))),
      /a column would lie in the bytes/,
    );
    refused(
      change((footer) => field(7, 1n << 62n)(chunk(footer))),
      /field 7 is not a count/,
    );
    refused(
      change((footer) => field(7, -1n)(chunk(footer))),
      /field 7 is not a count/,
    );
    refused(
      change((footer) => field(9, 0n)(chunk(footer))),
      /a column would lie in the bytes/,
    );
    refused(
      change(({ struct }) => field(3, 5n)(struct)),
      /it says to have 5 rows, and its row groups have 20000/,
    );
    refused(
      change(({ struct }) => struct.delete(2)),
      /field 2 is missing/,
    );
  });

  test("in any byte is refused or read, and nothing else", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const broken = Buffer.from(file);
        broken[file.length - 8 - (at % footerBytes(file).length)] = byte;
        try {
          const footer = footerOf(broken);
          for (const { span } of footer.rowGroups.flatMap(({ chunks }) => chunks))
            assert.ok(span.offset + span.length <= file.length);
          prune(footer, {
            columns: ["id"],
            tests: [{ column: "id", op: "lt", value: { kind: "int", value: 5n } }],
          });
        } catch (error) {
          assert.match((error as Error).message, /^t\.parquet is (cut off, damaged|an encrypted)/);
        }
      }),
      { numRuns: runs(300) },
    );
  });
});
