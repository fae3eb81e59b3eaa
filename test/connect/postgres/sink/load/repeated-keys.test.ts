import assert from "node:assert/strict";
import { test } from "node:test";
import { useDatabase } from "../../scene.ts";
import { csvChunk, openLoad, write, writeChunks } from "../chunks.ts";

const db = useDatabase();

const KEYS = 700;

/** Each key several times, in rows of very different lengths, which do not lie in a page in the order they came. */
function repeated(): { records: string[]; first: Map<number, string>; last: Map<number, string> } {
  const records: string[] = [];
  const first = new Map<number, string>();
  const last = new Map<number, string>();
  for (let n = 0; n < KEYS * 6; n++) {
    const key = (n * 7919) % KEYS;
    const text = `${n}-${"x".repeat((n * 104_729) % 1900)}`;
    records.push(`${key},${text}`);
    if (!first.has(key)) first.set(key, text);
    last.set(key, text);
  }
  return { records, first, last };
}

async function load(table: string, records: readonly string[], onConflict: "update" | "ignore") {
  const columns = ["id", "text"];
  const sink = await openLoad({ url: db.url, table, onConflict }, columns);
  const [outcome] = await writeChunks(sink, columns, records);
  assert.ok(outcome);
  return outcome;
}

async function held(table: string): Promise<Map<number, string>> {
  const rows = await db.client.query(`SELECT id, text FROM ${table}`);
  return new Map(rows.map((row) => [Number(row.id), String(row.text)]));
}

test("of rows with one key the last wins, however they lie on their pages", async () => {
  await db.client.query("CREATE TABLE ordered_last (id bigint PRIMARY KEY, text text)");
  await db.client.query("INSERT INTO ordered_last VALUES (0, 'there')");
  const { records, last } = repeated();
  const outcome = await load("ordered_last", records, "update");
  assert.deepEqual(await held("ordered_last"), last);
  assert.equal(outcome.duplicates, records.length - KEYS);
});

test("a last row that changes nothing still wins over one before it that does", async () => {
  // With these lengths PostgreSQL 18 puts rows 76 to 78 into gaps on pages before that of row 41.
  const texts = Array.from({ length: 600 }, (_, n) => "x".repeat((n * 104_729) % 1900));
  for (const later of [76, 77, 78]) {
    await db.client.query("CREATE TABLE ordered_same (id bigint PRIMARY KEY, text text)");
    await db.client.query(`INSERT INTO ordered_same VALUES (41, '${texts[later]}')`);
    const records = texts.map((text, n) => `${n === later ? 41 : n},${text}`);
    const outcome = await load("ordered_same", records, "update");
    assert.equal((await held("ordered_same")).get(41), texts[later]);
    assert.deepEqual([outcome.written, outcome.duplicates], [598, 1]);
    await db.client.query("DROP TABLE ordered_same");
  }
});

test("with ignore the first wins, however they lie on their pages", async () => {
  await db.client.query("CREATE TABLE ordered_first (id bigint PRIMARY KEY, text text)");
  await db.client.query("INSERT INTO ordered_first VALUES (-1, 'there')");
  const { records, first } = repeated();
  await load("ordered_first", records, "ignore");
  const now = await held("ordered_first");
  now.delete(-1);
  assert.deepEqual(now, first);
});

test("rows said to have different keys are set right where the server sees that they have not", async () => {
  await db.client.query("CREATE TABLE ordered_distinct (id bigint PRIMARY KEY, text text)");
  await db.client.query("INSERT INTO ordered_distinct VALUES (0, 'there')");
  const { records, last } = repeated();
  const columns = ["id", "text"];
  const sink = await openLoad({ url: db.url, table: "ordered_distinct" }, columns);
  const writer = await sink.writer(0, 1, true);
  try {
    const outcome = await write(writer, csvChunk(columns, records));
    assert.equal(outcome.duplicates, records.length - KEYS);
  } finally {
    await writer.close();
  }
  assert.deepEqual(await held("ordered_distinct"), last);
});

test("a row without a key among unchanged ones is refused, not passed over", async () => {
  await db.client.query("CREATE TABLE unkeyed (id text PRIMARY KEY, text text)");
  await db.client.query("INSERT INTO unkeyed SELECT g::text, 'same' FROM generate_series(1, 50) g");
  const records = Array.from({ length: 50 }, (_, at) => `${at + 1},same`);
  const outcome = await load("unkeyed", [...records, ",nobody"], "update");
  assert.deepEqual([outcome.unchanged, outcome.failures.length], [50, 1]);
  assert.match(outcome.failures[0]?.reason ?? "", /"id" may not be null/);
});
