import assert from "node:assert/strict";
import { test } from "node:test";
import type { SinkContext } from "../../../../src/batch/contract.ts";
import {
  del,
  insert,
  type PostgresOptions,
  postgres,
  runSql,
  table,
  update,
} from "../../../../src/connect/postgres/index.ts";
import { PawlError } from "../../../../src/errors.ts";
import { publicUrl } from "../../../../src/postgres-url.ts";
import { useDatabase } from "../scene.ts";
import { databaseUrl } from "../server.ts";
import { context, csvChunk, only, write } from "./chunks.ts";

let weak: string;
const db = useDatabase(async ({ server, client }) => {
  weak = server.roleName("weak");
  await client.query(`
    CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL, email text UNIQUE, age int);
    CREATE TABLE keyless (a int, b text);
    CREATE TABLE late (a int PRIMARY KEY DEFERRABLE, b text);
    CREATE VIEW seen AS SELECT * FROM people;
    CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."Na.me" ("Id" int PRIMARY KEY, "select" text);
    CREATE ROLE ${weak} LOGIN PASSWORD 'pw'; GRANT SELECT ON people TO ${weak}`);
});

const people = ["id", "name", "email", "age"];

function open(
  columns: readonly string[] | null,
  options: Partial<PostgresOptions>,
  more: Partial<SinkContext> = {},
) {
  return postgres({ url: db.url, table: "people", ...options }).open(context(columns, more));
}

async function refused(columns: readonly string[], options: Partial<PostgresOptions>, pattern: RegExp) {
  await assert.rejects(open(columns, options), (error: unknown) => {
    assert.ok(error instanceof PawlError, String(error));
    assert.match(error.message, pattern);
    assert.match(error.message, /[.?]$/);
    assert.doesNotMatch(error.message, /hunter2|\n/);
    return true;
  });
}

test("what cannot work is refused in one sentence before any row", async () => {
  await refused(people, { table: "peopel" }, /no table peopel.*did you mean people\?/);
  await refused(people, { table: "seen" }, /is a view/);
  await refused(people, { table: "a.b.c" }, /not a table name/);
  await refused([...people, "agee"], {}, /no column for "agee" of test\.csv: did you mean age\?/);
  await refused(["x", "y"], {}, /None of the columns of test\.csv \(x, y\)/);
  await refused(["name", "email"], {}, /key column "id".*not in test\.csv.*`key` \(email\)/);
  await refused(["id", "email"], {}, /"name".*may not be null.*`set: \{ "name": "…" \}`/);
  await refused(people, { key: ["age"] }, /CREATE UNIQUE INDEX ON public\.people \(age\)/);
  await refused(people, { key: ["agee"] }, /no column "agee".*did you mean age/);
  await refused(["a", "b"], { table: "keyless" }, /no primary key.*`append: true`/);
  await refused(["a", "b"], { table: "late" }, /only a deferrable primary key.*`append: true`/);
  await refused(people, { map: { nam: "name" } }, /has no column "nam"/);
  await refused([...people, "Name"], {}, /Both "name" and "Name".*`map: \{ "Name": "-" \}`/);
  await refused(people, { set: { age: "agee + 1" } }, /`set: \{ "age": "agee \+ 1" \}` does not work/);
  await refused(people, { set: { age: "1); DROP TABLE people; --" } }, /does not work/);
  await refused(people, { url: "mysql://x" }, /not a PostgreSQL URL/);
});

test("options that are not an object are refused at once", () => {
  for (const make of [postgres, insert, update, del, table])
    assert.throws(() => make(undefined as never), { code: "argument.object" });
});

test("what the server refuses is one sentence without the password", async () => {
  const name = new URL(db.url).pathname.slice(1);
  await refused(people, { url: databaseUrl(db.url, name, "postgres", "hunter2") }, /refused the password/);
  await refused(people, { url: databaseUrl(db.url, "nowhere") }, /database does not exist/);
  await refused(
    people,
    { url: "postgres://u:hunter2@127.0.0.1:1/x" },
    /127\.0\.0\.1:1\/x cannot be reached.*nothing listens/,
  );
  await refused(people, { url: "postgres://u:hunter2@no-such-host.invalid/x" }, /cannot be reached/);
  await refused(
    people,
    { url: databaseUrl(db.url, name, weak, "pw") },
    /may not write to public\.people: GRANT INSERT, UPDATE ON/,
  );
});

test("a URL is shown without its password", () => {
  assert.equal(publicUrl("postgres://u:p%40ss@h:1/d?sslmode=require"), "postgres://u@h:1/d?sslmode=require");
  assert.doesNotMatch(publicUrl("postgres://u:p@ss/w#ord@h/d"), /ss\/w/);
  assert.doesNotMatch(publicUrl("postgres://u@h/d?password=hidden"), /hidden/);
});

test("names are matched as SQL would, but for the case", async () => {
  const sink = await open(["ID", "Name", "EMAIL"], { table: "People" });
  const writer = await only(sink);
  assert.equal((await write(writer, csvChunk(["ID", "Name", "EMAIL"], ["1,a,"]))).written, 1);
  await writer.close();
  const odd = await open(["id", "select"], { table: '"Odd"."Na.me"' }, { run: "odd" });
  const second = await only(odd);
  assert.equal((await write(second, csvChunk(["id", "select"], ["1,x"]))).written, 1);
  await second.close();
});

test("the order that is asked for follows from the type of the key", async () => {
  const orderings: [string, unknown][] = [
    ["int", { kind: "byKey", key: [{ name: "K", equality: "integer" }] }],
    ["uuid", { kind: "byKey", key: [{ name: "K", equality: "uuid" }] }],
    ["text", { kind: "byKey", key: [{ name: "K", equality: "bytes" }] }],
    ["numeric", { kind: "total" }],
    ["timestamptz", { kind: "total" }],
    ["char(3)", { kind: "total" }],
    ["varchar(3)", { kind: "total" }],
  ];
  for (const [type, ordering] of orderings) {
    await db.client.query(
      `DROP TABLE IF EXISTS ordered; CREATE TABLE ordered (k ${type} PRIMARY KEY, v int)`,
    );
    const options = { table: "ordered" };
    assert.deepEqual((await open(["K", "v"], options)).ordering, ordering, type);
    assert.equal((await open(["K", "v"], { ...options, unique: true })).ordering.kind, "any");
    assert.equal(
      (await open(["K", "v"], options, { transformed: true, sample: async () => [{ k: "1" }] })).ordering
        .kind,
      "total",
    );
  }
});

test("a table is created with the types that the sample shows", async () => {
  const rows = [
    {
      id: "1",
      zip: "01234",
      n: "5",
      price: "1.5",
      ok: "true",
      day: "2024-02-29",
      at: "2024-01-01T00:00:00Z",
      u: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      t: null,
      no: "-",
    },
    {
      id: "2",
      zip: "99999",
      n: null,
      price: "-20",
      ok: "false",
      day: "2024-03-01",
      at: "2024-01-01 10:00+02",
      u: null,
      t: null,
      no: "-",
    },
  ];
  const columns = Object.keys(rows[0] as object);
  const options = { table: "fresh", create: true, map: { no: "" }, set: { loaded: "now()" } };
  const more = { sample: async () => rows };
  const dry = await open(columns, options, { ...more, dryRun: true });
  assert.match(dry.notes.join(), /Would create.*"zip" text/s);
  assert.deepEqual(await db.client.query("SELECT to_regclass('fresh') AS t"), [{ t: null }]);
  await open(columns, options, more);
  const created = await db.client.query<{ c: string; t: string }>(
    `SELECT attname AS c, format_type(atttypid, atttypmod) AS t FROM pg_attribute WHERE attrelid = 'fresh'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  assert.deepEqual(Object.fromEntries(created.map(({ c, t }) => [c, t])), {
    id: "bigint",
    zip: "text",
    n: "bigint",
    price: "numeric",
    ok: "boolean",
    day: "date",
    at: "timestamp with time zone",
    u: "uuid",
    t: "text",
    loaded: "timestamp with time zone",
  });
  const again = await open(columns, options, { sample: async () => [] });
  assert.equal(again.ordering.kind, "byKey");
});

test("a table created without a key takes every row", async () => {
  const sample = async () => [{ id: "1" }, { id: "1" }];
  const sink = await open(["id"], { table: "heap", create: true }, { sample });
  assert.equal(sink.ordering.kind, "any");
});

test("one statement can be run for its rows", async () => {
  assert.deepEqual(await runSql(db.url, "SELECT 1 AS a, 'x' AS b"), {
    columns: ["a", "b"],
    rows: [{ a: 1, b: "x" }],
  });
  await assert.rejects(runSql(db.url, "SELEC 1"), /syntax error/);
  // Nothing was loaded that could be gone.
  await assert.rejects(runSql(db.url, "SELECT 1 FROM nix"), {
    code: "postgres.42P01",
    message: /refused: relation "nix" does not exist\.$/,
  });
  await assert.rejects(runSql(db.url, "SELECT 1; SELECT 2"), {
    message: /^Only one statement is run at a time: /,
  });
});
