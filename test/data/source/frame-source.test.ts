import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as streamText } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { postgres, runSql } from "../../../src/connect/postgres/index.ts";
import {
  bool,
  bytes,
  date,
  decimal,
  float64,
  fromRows,
  int32,
  int64,
  json,
  list,
  readJsonl,
  struct,
  text,
  timestamp,
  timestamptz,
  uuid,
} from "../../../src/data/index.ts";
import { TestServer } from "../../connect/postgres/server.ts";
import { randomFrom, seed } from "../../random.ts";

let server: TestServer;
let folder = "";
before(async () => {
  server = await TestServer.shared();
  folder = await mkdtemp(join(tmpdir(), "pawl-frame-source-"));
});
after(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

test("values of every type reach PostgreSQL as they are", async () => {
  const url = await server.createDatabase();
  await runSql(
    url,
    `CREATE TABLE t (id int PRIMARY KEY, big bigint, amount numeric, f double precision, b bool, raw bytea, d date,
      ts timestamp, tz timestamptz, u uuid, j jsonb, words text[], note text)`,
  );
  const schema = {
    id: int32(),
    big: int64(),
    amount: decimal(38, 4),
    f: float64().nullable(),
    b: bool(),
    raw: bytes(),
    d: date(),
    ts: timestamp(),
    tz: timestamptz(),
    u: uuid(),
    j: json(),
    words: list(text()),
    note: text().nullable(),
  };
  const rows = [
    {
      id: 1,
      big: 9223372036854775807n,
      amount: "1234567890123456789012345678901234.5678",
      f: 0.1,
      b: true,
      raw: new Uint8Array([0, 92, 255]),
      d: "2024-02-29",
      ts: "2026-01-31T10:30:00.123456",
      tz: "2026-01-31T10:30:00.123456Z",
      u: "0197f6e4-0000-7000-8000-000000000001",
      j: { a: [1, null, "x\\y"] },
      words: ["a,b", 'say "x"', ""],
      note: "",
    },
    {
      id: 2,
      big: -9223372036854775808n,
      amount: "-0.0001",
      f: null,
      b: false,
      raw: new Uint8Array(),
      d: "0001-01-01",
      ts: "1969-12-31T23:59:59.999999",
      tz: "1969-12-31T23:59:59.999999Z",
      u: "0197f6e4-0000-7000-8000-000000000002",
      j: [],
      words: [],
      note: null,
    },
  ];
  const summary = await fromRows(schema, rows).into(postgres({ url, table: "t" }), {
    name: "types",
    store: join(folder, "types.db"),
  });
  assert.deepEqual([summary.state, summary.read, summary.written], ["succeeded", 2, 2]);
  const { rows: found } = await runSql(
    url,
    `SELECT id, big::text, amount::text, f::text, b, encode(raw, 'hex') raw, d::text, ts::text, (tz AT TIME ZONE 'UTC')::text tz,
      u::text, j::text, words::text, note FROM t ORDER BY id`,
  );
  assert.deepEqual(
    found.map((row) => Object.values(row as object).map(String)),
    [
      [
        "1",
        "9223372036854775807",
        "1234567890123456789012345678901234.5678",
        "0.1",
        "true",
        "005cff",
        "2024-02-29",
        "2026-01-31 10:30:00.123456",
        "2026-01-31 10:30:00.123456",
        "0197f6e4-0000-7000-8000-000000000001",
        '{"a": [1, null, "x\\\\y"]}',
        '{"a,b","say \\"x\\"",""}',
        "",
      ],
      [
        "2",
        "-9223372036854775808",
        "-0.0001",
        "null",
        "false",
        "",
        "0001-01-01",
        "1969-12-31 23:59:59.999999",
        "1969-12-31 23:59:59.999999",
        "0197f6e4-0000-7000-8000-000000000002",
        "[]",
        "{}",
        "null",
      ],
    ],
  );
});

test("any JSON reaches PostgreSQL as it is: texts that look like numbers, numbers of any size, and what JSON has no number for", async () => {
  const url = await server.createDatabase();
  await runSql(url, "CREATE TABLE t (id int PRIMARY KEY, j jsonb, s jsonb)");
  const file = join(folder, "any.jsonl");
  const given = ['"abc"', '"5"', '"null"', "5", "true", '{"big": 12345678901234567890123, "e": 1e30}'];
  await writeFile(file, given.map((j, id) => `{"id": ${id}, "j": ${j}}\n`).join(""));
  const frame = readJsonl(file, { id: int32(), j: json() });
  const summary = await frame.into(postgres({ url, table: "t" }), {
    name: "json",
    store: join(folder, "json.db"),
  });
  assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", 6, 0]);
  const { rows } = await runSql(url, "SELECT j::text FROM t ORDER BY id");
  assert.deepEqual(
    rows.map((row) => Object.values(row as object)[0]),
    [
      '"abc"',
      '"5"',
      '"null"',
      "5",
      "true",
      '{"e": 1000000000000000000000000000000, "big": 12345678901234567890123}',
    ],
  );
  await fromRows({ id: int32(), s: struct({ n: float64(), big: int64() }) }, [
    { id: 9, s: { n: Number.NaN, big: 9007199254740993n } },
  ]).into(postgres({ url, table: "t" }), { name: "nan", store: join(folder, "nan.db") });
  const nan = await runSql(url, "SELECT s::text FROM t WHERE id = 9");
  assert.deepEqual(Object.values(nan.rows[0] as object), ['{"n": "NaN", "big": 9007199254740993}']);
});

test("a table that is made has the declared types, whatever the first rows look like", async () => {
  const url = await server.createDatabase();
  const schema = {
    id: int32(),
    phone: text(),
    amount: decimal(10, 2),
    f: float64(),
    words: list(text()),
    note: text().nullable(),
  };
  const rows = [
    { id: 1, phone: "12345", amount: "5.00", f: 1, words: ["1"], note: null },
    { id: 2, phone: "+49 30", amount: "5.25", f: 1.5, words: [], note: "x" },
  ];
  const summary = await fromRows(schema, rows).into(postgres({ url, table: "t", create: true }), {
    name: "made",
    store: join(folder, "made.db"),
  });
  assert.deepEqual([summary.state, summary.written], ["succeeded", 2]);
  const { rows: found } = await runSql(
    url,
    "SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum",
  );
  assert.deepEqual(
    found.map((row) => Object.values(row as object)[0]),
    [
      "id integer not null",
      "phone text not null",
      "amount numeric(10,2) not null",
      "f double precision not null",
      "words text[] not null",
      "note text",
    ],
  );
});

test("a row that the table refuses is quarantined, and the others are there", async () => {
  const url = await server.createDatabase();
  await runSql(url, "CREATE TABLE t (id int PRIMARY KEY CHECK (id <> 2))");
  const rows = [1, 2, 3].map((id) => ({ id }));
  const summary = await fromRows({ id: int32() }, rows).into(postgres({ url, table: "t" }), {
    name: "refused",
    store: join(folder, "refused.db"),
  });
  assert.deepEqual([summary.written, summary.quarantined], [2, 1]);
});

test("a program that is killed continues with the rows that it began with, each once", async () => {
  const url = await server.createDatabase();
  await runSql(url, "CREATE TABLE numbers (n bigint, word text)");
  const file = join(folder, "numbers.parquet");
  const total = 60_000;
  const numbers = Array.from({ length: total }, (_, n) => ({ n: BigInt(n), word: `word ${n}` }));
  await fromRows({ n: int64(), word: text() }, numbers).writeParquet(file);
  const program = fileURLToPath(new URL("./fixtures/into-program.ts", import.meta.url));
  const store = join(folder, "numbers.db");
  const random = randomFrom(seed);
  for (let kills = 0; kills < 3; kills++) {
    const child = spawn(process.execPath, [program, file, url, store], { stdio: "ignore" });
    const ended = once(child, "exit");
    await sleep(400 + random() * 600);
    child.kill("SIGKILL");
    await ended;
  }
  const last = spawn(process.execPath, [program, file, url, store], { stdio: ["ignore", "pipe", "inherit"] });
  const said = JSON.parse(await streamText(last.stdout)) as { state: string; read: number };
  assert.deepEqual([said.state, said.read], ["succeeded", total]);
  const { rows } = await runSql(
    url,
    "SELECT count(*)::int n, count(DISTINCT n)::int distinct_n FROM numbers",
  );
  assert.deepEqual(rows, [{ n: total, distinct_n: total }]);
});
