import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
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
