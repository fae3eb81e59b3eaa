import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ReadableTable } from "../../../src/connect/postgres/internal.ts";
import {
  bool,
  bytes,
  date,
  decimal,
  describeTable,
  float64,
  int32,
  int64,
  readTable,
  text,
  timestamp,
  timestamptz,
} from "../../../src/data/index.ts";
import { conditionSql } from "../../../src/data/read/postgres-table.ts";
import { typeText } from "../../../src/data/schema/column-type.ts";
import { TestClient, TestServer } from "../../connect/postgres/server.ts";
import { fc, runs } from "../../random.ts";

let server: TestServer;
let client: TestClient;
let url = "";

before(async () => {
  server = await TestServer.shared();
  url = server.url;
  client = await TestClient.connect(url);
  await client.query(`
    CREATE DOMAIN money2 AS numeric(12, 2);
    CREATE TYPE mood AS ENUM ('ok', 'bad');
    CREATE TABLE kinds (id int PRIMARY KEY, flag bool, small int2, big int8, real float4, double float8, exact numeric, price numeric(10, 3),
      cost money2, note text, code char(4), raw bytea, day date, at time, moment timestamp, world timestamptz, doc json, docb jsonb, key uuid,
      numbers int[], words text[], span interval, mood mood, "we""ird; --" text NOT NULL DEFAULT 'x');
    INSERT INTO kinds VALUES
      (1, true, -1, 9007199254740993, 1.5, 0.1, 123456789012345678901234567890.5, 1.5, 2.25, E'a "q",\\n\\\\N', 'ab', '\\x00ff5c', '2024-01-31', '10:30:00.5',
       '2024-01-31 10:00:00.123456', '2024-01-31 10:00:00+02', '{"a":1}', '{"a":[1,null]}', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{1,NULL,3}', '{a,"b,c",NULL}', '1 day', 'ok', ''),
      (2, NULL, NULL, NULL, 'NaN', 'Infinity', NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'y');
    CREATE TABLE many AS SELECT i AS id, i % 7 AS part, CASE WHEN i % 5 > 0 THEN i % 11 END AS maybe, (i % 13) / 4.0::float8 AS x,
      chr(65 + i % 40) || CASE WHEN i % 3 = 0 THEN 'é' ELSE '' END AS word, DATE '2024-01-01' + i % 400 AS day, (i / 8.0)::numeric(9, 3) AS price,
      timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute' AS at, i % 2 = 0 AS even FROM generate_series(1, 2000) i;
    CREATE VIEW third AS SELECT id, word FROM many WHERE part = 3;
    CREATE TABLE odd (day date, at timestamptz, "two words" int);
    CREATE TABLE one_column (v text);
    INSERT INTO one_column VALUES (NULL), (''), ('x'), (NULL);
  `);
});
after(async () => {
  await client[Symbol.asyncDispose]();
  await server.stop();
});

describe("a table of PostgreSQL", () => {
  test("is described with types that hold its values", async () => {
    const fields = await describeTable(url, "kinds");
    assert.deepEqual(
      fields.map((field) => `${field.name} ${typeText(field.type.notNull())}`),
      [
        "id int32()",
        "flag bool()",
        "small int16()",
        "big int64()",
        "real float32()",
        "double float64()",
        "exact text()",
        "price decimal(10, 3)",
        "cost decimal(12, 2)",
        "note text()",
        "code text()",
        "raw bytes()",
        "day date()",
        "at time()",
        "moment timestamp()",
        "world timestamptz()",
        "doc json()",
        "docb json()",
        "key uuid()",
        "numbers list(int32().nullable())",
        "words list(text().nullable())",
        "span text()",
        "mood text()",
        'we"ird; -- text()',
      ],
    );
    assert.deepEqual(
      fields.filter(({ type }) => !type.isNullable).map(({ name }) => name),
      ["id", 'we"ird; --'],
    );
    assert.deepEqual(
      (await describeTable(url, "third")).map(({ name }) => name),
      ["id", "word"],
    );
    await assert.rejects(
      describeTable(url, "kind"),
      /There is no table kind in the database: did you mean kinds\?/,
    );
    await assert.rejects(
      describeTable(url, "many_pkey; drop table many"),
      /There is no table|is not a table name/,
    );
  });

  test("arrives with all of its values, and with its nulls apart from empty texts", async () => {
    const fields = await describeTable(url, "kinds");
    const schema = Object.fromEntries(fields.map(({ name, type }) => [name, type]));
    const [first, second] = await readTable(url, "kinds", schema).sort("id").collect();
    assert.deepEqual(
      { ...first, raw: Array.from((first?.raw as Uint8Array | undefined) ?? []) },
      {
        id: 1,
        flag: true,
        small: -1,
        big: 9007199254740993n,
        real: 1.5,
        double: 0.1,
        exact: "123456789012345678901234567890.5",
        price: "1.500",
        cost: "2.25",
        note: 'a "q",\n\\N',
        code: "ab",
        raw: [0, 255, 92],
        day: "2024-01-31",
        at: "10:30:00.5",
        moment: "2024-01-31T10:00:00.123456",
        world: "2024-01-31T08:00:00Z",
        doc: { a: 1 },
        docb: { a: [1, null] },
        key: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        numbers: [1, null, 3],
        words: ["a", "b,c", null],
        span: "1 day",
        mood: "ok",
        'we"ird; --': "",
      },
    );
    assert.deepEqual(
      [second?.real, second?.double, second?.note, second?.big],
      [Number.NaN, Number.POSITIVE_INFINITY, "", null],
    );
    const ones = await readTable(url, "one_column", { v: text().nullable() }).collect();
    assert.deepEqual(ones.map(({ v }) => v).sort(), ["", "x", null, null].sort());
    assert.equal(await readTable(url, "many", { id: int32() }).count(), 2000);
    assert.deepEqual(
      await readTable(url, "third", { id: int32() })
        .filter((c) => c.id.lt(0))
        .collect(),
      [],
    );
  });

  test("is refused where it has other columns than were declared, or their types lose something", async () => {
    const read = (schema: Parameters<typeof readTable>[2], table = "kinds") =>
      readTable(url, table, schema).collect();
    await assert.rejects(
      read({ pric: decimal(10, 3) }),
      /public\.kinds has no column "pric": did you mean price\?/,
    );
    await assert.rejects(
      read({ big: int32().nullable() }),
      /The column "big" of public\.kinds is bigint, which int32\(\) does not hold: declare int64\(\), or text\(\)/,
    );
    await assert.rejects(
      read({ price: decimal(10, 2).nullable() }),
      /is numeric\(10,3\), which decimal\(10, 2\) does not hold/,
    );
    await assert.rejects(
      read({ moment: timestamptz().nullable() }),
      /timestamp without time zone, which timestamptz\(\) does not hold/,
    );
    await assert.rejects(read({ flag: bool() }), (error: Error) => !/pawl-frame/.test(error.message));
    const rows = await read({ id: int64(), price: decimal(12, 4).nullable(), raw: text().nullable() });
    assert.deepEqual(rows.map(({ price }) => price).sort(), ["1.5000", null].sort());
  });

  test("with days that no column of days holds is refused with the column, and read as text", async () => {
    await client.query("INSERT INTO odd VALUES ('infinity', '0044-03-15 BC', 1)");
    await assert.rejects(
      readTable(url, "odd", { day: date().nullable() }).collect(),
      /The column "day" of odd holds infinity, which no column of days can hold/,
    );
    await assert.rejects(
      readTable(url, "odd", { at: timestamptz().nullable() }).collect(),
      /The column "at" of odd holds 0044-03-15/,
    );
    assert.deepEqual(await readTable(url, "odd", { day: text(), at: text() }).collect(), [
      { day: "infinity", at: "0044-03-15 00:00:00+00 BC" },
    ]);
  });

  test("is asked only for the columns and rows that the plan needs", async () => {
    const many = readTable(url, "many", { id: int32(), part: int32(), word: text(), x: float64() });
    await client.query(
      "ALTER TABLE many ADD COLUMN trap int; UPDATE many SET trap = CASE WHEN part = 3 THEN 1 ELSE 0 END",
    );
    await client.query("CREATE VIEW trapped AS SELECT id, part, 1 / trap AS word, x FROM many");
    // The view fails for every row but those of one part, and no other query sees that.
    const trapped = readTable(url, "trapped", {
      id: int32(),
      part: int32(),
      word: int32().nullable(),
      x: float64(),
    });
    assert.equal(await trapped.select("id", "x").count(), 2000);
    assert.equal((await trapped.filter((c) => c.part.eq(3).and(c.x.ge(0))).collect()).length, 286);
    await assert.rejects(trapped.collect(), /division by zero/);
    assert.equal(
      (
        await many
          .filter((c) => c.part.eq(3))
          .select("id")
          .collect()
      ).length,
      286,
    );
  });

  test("gives the same rows whether a condition is asked of the server or of the engine", async () => {
    const many = readTable(url, "many", {
      id: int32(),
      part: int32(),
      maybe: int32().nullable(),
      x: float64(),
      word: text(),
      day: date(),
      price: decimal(9, 3),
      at: timestamptz(),
      even: bool(),
    });
    const all = await many.collect();
    type Row = (typeof all)[number];
    const n = fc.integer({ min: -3, max: 15 });
    const conditions = fc.oneof(
      n.map(
        (v) =>
          [
            (c: never) => (c as { part: { lt(v: number): unknown } }).part.lt(v),
            (row: Row) => row.part < v,
          ] as const,
      ),
      n.map(
        (v) =>
          [
            (c: never) => (c as { maybe: { ge(v: number): unknown } }).maybe.ge(v),
            (row: Row) => row.maybe !== null && row.maybe >= v,
          ] as const,
      ),
      n.map(
        (v) =>
          [
            (c: never) => (c as { x: { gt(v: number): unknown } }).x.gt(v / 4),
            (row: Row) => row.x > v / 4,
          ] as const,
      ),
      fc
        .constantFrom("A", "Aé", "Z", "`", "é", "a", "é")
        .map(
          (v) =>
            [
              (c: never) => (c as { word: { le(v: string): unknown } }).word.le(v),
              (row: Row) => Buffer.compare(Buffer.from(row.word), Buffer.from(v)) <= 0,
            ] as const,
        ),
      fc
        .constantFrom("2024-01-05", "2024-12-31")
        .map(
          (v) =>
            [
              (c: never) => (c as { day: { gt(v: string): unknown } }).day.gt(v),
              (row: Row) => row.day > v,
            ] as const,
        ),
      fc
        .constantFrom("12.5", "100.125")
        .map(
          (v) =>
            [
              (c: never) => (c as { price: { lt(v: string): unknown } }).price.lt(v),
              (row: Row) => Number(row.price) < Number(v),
            ] as const,
        ),
      fc
        .constantFrom("2024-01-01T10:00:00Z", "2024-01-02T00:00:00Z")
        .map(
          (v) =>
            [
              (c: never) => (c as { at: { ge(v: string): unknown } }).at.ge(v),
              (row: Row) => row.at >= v,
            ] as const,
        ),
      fc.constant([
        (c: never) => (c as { maybe: { isNull(): unknown } }).maybe.isNull(),
        (row: Row) => row.maybe === null,
      ] as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.tuple(conditions, conditions), async ([[one, isOne], [two, isTwo]]) => {
        const rows = await many
          .filter((c) => one(c as never) as never)
          .filter((c) => two(c as never) as never)
          .select("id")
          .sort("id")
          .collect();
        const right = all
          .filter((row) => isOne(row) && isTwo(row))
          .map(({ id }) => id)
          .sort((a, b) => a - b);
        assert.deepEqual(
          rows.map(({ id }) => id),
          right,
        );
      }),
      { numRuns: runs(20) },
    );
  });

  test("is read at one moment, however long that takes, and leaves no session behind", async () => {
    await client.query(
      "CREATE TABLE counted AS SELECT i AS id, 1 AS gen, repeat('x', 300) AS pad FROM generate_series(1, 30000) i",
    );
    const writing = (async () => {
      for (let gen = 2; gen < 6; gen++) await client.query(`UPDATE counted SET gen = ${gen}`);
    })();
    const rows = await readTable(url, "counted", { id: int32(), gen: int32(), pad: text() })
      .groupBy("gen")
      .agg((c) => ({ n: c.id.count() }))
      .collect();
    await writing;
    assert.equal(rows.length, 1, JSON.stringify(rows));
    assert.equal(Number(rows[0]?.n), 30_000);
    const [left] = await client.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pawl reader'",
    );
    assert.equal(left?.n, 0);
  });

  test("stops where the signal says so, and says where it could not be reached without the password", async () => {
    const stop = new AbortController();
    stop.abort(new Error("enough"));
    await assert.rejects(readTable(url, "many", { id: int32() }).collect({ signal: stop.signal }), /enough/);
    const error = await readTable("postgres://u:secret-77@127.0.0.1:1/x", "t", { id: int32() })
      .collect()
      .catch((each: Error) => each as Error);
    assert.ok(
      error instanceof Error &&
        /cannot be reached/.test(error.message) &&
        !error.message.includes("secret-77"),
    );
    await assert.rejects(
      readTable("env:PAWL_NO_SUCH_URL", "t", { id: int32() }).collect(),
      /env:PAWL_NO_SUCH_URL names an environment variable that is not set/,
    );
  });
});

describe("a condition for the server", () => {
  const column = (name: string, declared: ReadableTable["columns"][number]["type"], more = {}) => ({
    name,
    declared: "",
    type: declared,
    isArray: false,
    precision: null,
    scale: null,
    notNull: false,
    deterministic: true,
    ...more,
  });
  const table: ReadableTable = {
    label: "t",
    sql: "t",
    columns: [
      column('a"b', "text"),
      column("n", "int4"),
      column("list", "int4", { isArray: true }),
      column("c", "text", { deterministic: false }),
      column("bp", "bpchar"),
      column("at", "timestamp"),
    ],
  };
  const call = (name: string, ...parts: unknown[]) =>
    ({ kind: "call", function: name, arguments: parts, type: bool() }) as never;
  const col = (name: string, of: unknown) => ({ kind: "column", name, type: of });
  const lit = (value: unknown, of: unknown) => ({ kind: "literal", value, type: of });

  test("quotes what it holds, and leaves out what the server would take otherwise", () => {
    const sql = (node: never) => conditionSql(node, table);
    assert.equal(
      sql(call("eq", col('a"b', text()), lit("x'; drop table t; --\\", text()))),
      `"a""b" =  E'x''; drop table t; --\\\\'::pg_catalog.text`,
    );
    assert.equal(
      sql(call("lt", col('a"b', text()), lit("x", text()))),
      `"a""b" COLLATE pg_catalog."C" < 'x'::pg_catalog.text`,
    );
    assert.equal(
      sql(call("eq", col("c", text()), lit("x", text()))),
      `"c" COLLATE pg_catalog."C" = 'x'::pg_catalog.text`,
    );
    assert.equal(
      sql(call("in", col("n", int32()), lit(1, int32()), lit("9007199254740993", int64()))),
      `"n" IN ('1'::pg_catalog.int8, '9007199254740993'::pg_catalog.int8)`,
    );
    assert.equal(
      sql(
        call(
          "or",
          call("isNull", col("n", int32())),
          call("not", call("gt", lit(5, int32()), col("n", int32()))),
        ),
      ),
      `("n" IS NULL) OR (NOT ('5'::pg_catalog.int8 > "n"))`,
    );
    for (const node of [
      call("eq", col('a"b', text()), lit("\0", text())),
      call("eq", col("n", int32()), lit(0.5, float64())),
      call("eq", col("n", text()), lit("5", text())),
      call("eq", col("list", int32()), lit(5, int32())),
      call("eq", col("bp", text()), lit("a", text())),
      call("eq", col("at", timestamptz()), lit("2024-01-01T00:00:00Z", timestamptz())),
      call("eq", col("n", int32()), col("n", int32())),
      call("or", call("isNull", col("n", int32())), call("matches", col('a"b', text()), lit("x", text()))),
      call("eq", col("gone", int32()), lit(5, int32())),
      call("eq", col('a"b', bytes()), lit("AA==", bytes())),
    ])
      assert.equal(sql(node), null, JSON.stringify(node));
    assert.ok(sql(call("eq", col("at", timestamp()), lit("2024-01-01T00:00:00", timestamp()))));
  });
});
