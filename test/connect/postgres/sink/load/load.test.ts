import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import type { SinkContext } from "../../../../../src/batch/contract.ts";
import type { PostgresOptions } from "../../../../../src/connect/postgres/index.ts";
import { useDatabase } from "../../scene.ts";
import { csvChunk, objectChunk, only, openLoad, write, writeChunks } from "../chunks.ts";

const db = useDatabase();

const open = (
  table: string,
  columns: readonly string[] | null,
  options: Partial<PostgresOptions> = {},
  more: Partial<SinkContext> = {},
) => openLoad({ url: db.url, table, ...options }, columns, more);

/** Writes the chunks with one writer and returns their outcomes. */
const load = async (
  table: string,
  columns: readonly string[],
  chunks: readonly (readonly string[])[],
  options: Partial<PostgresOptions> = {},
) => await writeChunks(await open(table, columns, options), columns, ...chunks);

test("new rows, changed rows and unchanged rows are told apart, and unchanged ones keep their place", async () => {
  await db.client.query(
    "CREATE TABLE people (id bigint PRIMARY KEY, name text, n numeric(10,2), raw numeric, meta jsonb)",
  );
  const columns = ["id", "name", "n", "raw", "meta"];
  const rows = (change: (i: number) => string) =>
    Array.from({ length: 200 }, (_, i) => `${i},"${change(i)}",1.5,1.50,"{""a"": 1}"`);
  const [first] = await load("people", columns, [rows((i) => `name, ${i}\n"" ${i}`)]);
  assert.equal(first?.written, 200);
  const places = await db.client.query("SELECT id, ctid::text, xmin::text FROM people ORDER BY id");
  const same = await load("people", columns, [
    rows((i) => `name, ${i}\n"" ${i}`),
    rows((i) => `name, ${i}\n"" ${i}`),
  ]);
  assert.deepEqual(
    same.map((o) => [o.written, o.unchanged]),
    [
      [0, 200],
      [0, 200],
    ],
  );
  assert.deepEqual(
    await db.client.query("SELECT id, ctid::text, xmin::text FROM people ORDER BY id"),
    places,
  );
  const [some] = await load("people", columns, [rows((i) => (i % 4 === 0 ? "new" : `name, ${i}\n"" ${i}`))]);
  assert.deepEqual([some?.written, some?.unchanged], [50, 150]);
  const [all] = await load("people", columns, [rows(() => "all")]);
  assert.deepEqual([all?.written, all?.unchanged], [200, 0]);
  const scale = await load("people", columns, [['1,all,1.5,1.5,"{""a"": 1}"']]);
  assert.equal(scale[0]?.written, 1, "1.50 and 1.5 are equal but not the same");
  const [row] = await db.client.query<{ raw: string }>("SELECT raw::text FROM people WHERE id = 1");
  assert.equal(row?.raw, "1.5");
});

test("the way is changed as the rows demand: direct, merge with changes, direct again", async () => {
  await db.client.query("CREATE TABLE ways (id int PRIMARY KEY, v text)");
  const range = (from: number, to: number, v: string) =>
    Array.from({ length: to - from }, (_, i) => `${from + i},${v}`);
  const outcomes = await load(
    "ways",
    ["id", "v"],
    [
      range(0, 50, "a"),
      range(25, 75, "b"),
      range(75, 100, "c"),
      range(100, 150, "c"),
      range(150, 200, "c"),
      range(100, 200, "c"),
    ],
  );
  assert.deepEqual(
    outcomes.map((o) => [o.written, o.unchanged]),
    [
      [50, 0],
      [50, 0],
      [25, 0],
      [50, 0],
      [50, 0],
      [0, 100],
    ],
  );
  const counts = await db.client.query("SELECT v, count(*)::int AS n FROM ways GROUP BY v ORDER BY v");
  assert.deepEqual(counts, [
    { v: "a", n: 25 },
    { v: "b", n: 50 },
    { v: "c", n: 125 },
  ]);
});

test("of rows with one key in a chunk the last wins and the others are counted", async () => {
  await db.client.query("CREATE TABLE twice (id int PRIMARY KEY, v text)");
  const [one, two] = await load(
    "twice",
    ["id", "v"],
    [
      ["1,a", "2,a", "1,b", "1,c"],
      ["1,a", "1,c", "3,x", "3,y"],
    ],
  );
  assert.deepEqual([one?.written, one?.skipped, one?.duplicates], [2, 2, 2]);
  assert.deepEqual([two?.written, two?.unchanged, two?.skipped, two?.duplicates], [1, 1, 2, 2]);
  assert.deepEqual(await db.client.query("SELECT id, v FROM twice ORDER BY id"), [
    { id: 1, v: "c" },
    { id: 2, v: "a" },
    { id: 3, v: "y" },
  ]);
  // An earlier row that differs must not win over a later one that does not.
  const [three] = await load("twice", ["id", "v"], [["1,z", "1,c", "2,a"]]);
  assert.equal((three?.written ?? 0) + (three?.unchanged ?? 0), 2);
  assert.deepEqual(await db.client.query("SELECT v FROM twice WHERE id = 1"), [{ v: "c" }]);
});

test("ignore keeps what is there, and of several new ones the first", async () => {
  await db.client.query("CREATE TABLE kept (id int PRIMARY KEY, v text); INSERT INTO kept VALUES (1, 'old')");
  const [outcome] = await load("kept", ["id", "v"], [["1,new", "2,a", "2,b"]], { onConflict: "ignore" });
  assert.deepEqual([outcome?.written, outcome?.skipped], [1, 2]);
  assert.deepEqual(await db.client.query("SELECT v FROM kept ORDER BY id"), [{ v: "old" }, { v: "a" }]);
});

test("fail refuses rows whose key is there, one by one, and names the key", async () => {
  await db.client.query(
    "CREATE TABLE strict (id int PRIMARY KEY, v text); INSERT INTO strict VALUES (1, 'old')",
  );
  const [outcome] = await load("strict", ["id", "v"], [["1,new", "2,a", "2,b", "3,c"]], {
    onConflict: "fail",
  });
  assert.equal(outcome?.written, 2);
  assert.deepEqual(
    outcome?.failures.map((f) => f.index),
    [0, 2],
  );
  assert.match(outcome?.failures[0]?.reason ?? "", /key \(id\) = \(1\) is there already/);
});

test("fail without a key appends", async () => {
  await db.client.query("CREATE TABLE log (line text)");
  const sink = await open("log", ["line"], { onConflict: "fail" });
  assert.deepEqual([sink.ordering.kind, sink.guarantee], ["any", "transactional"]);
  const [outcome] = await load("log", ["line"], [["a", "a", "\\.", '"b\n\\.\nc"', ""]], {
    onConflict: "fail",
  });
  assert.equal(outcome?.written, 5);
  assert.deepEqual(
    (await db.client.query<{ line: string | null }>("SELECT line FROM log ORDER BY line"))
      .map((row) => row.line)
      .sort(),
    ["\\.", "a", "a", "b\n\\.\nc", null].sort(),
  );
});

test("rows of the wrong form are refused alone, with column and reason", async () => {
  await db.client.query(`CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 100);
    CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1), (2);
    CREATE TABLE checked (id int PRIMARY KEY, n int NOT NULL, mood mood, s small, day date, tags text[], v varchar(3),
      parent int REFERENCES parents, email text UNIQUE, CONSTRAINT positive CHECK (n > 0))`);
  const columns = ["id", "n", "mood", "s", "day", "tags", "v", "parent", "email"];
  const good = (i: number) => `${i},1,ok,5,2024-02-29,"{a,""b c""}",abc,1,m${i}@x`;
  const bad: [string, RegExp][] = [
    ["x,1,ok,5,,,,,", /Column "id": invalid input syntax for type integer: "x"/],
    ["99999999999,1,ok,5,,,,,", /out of range/],
    ["501,,ok,5,,,,,", /Column "n" may not be null/],
    ["502,1,angry,5,,,,,", /invalid input value for enum mood: "angry"/],
    ["503,1,ok,500,,,,,", /small_check/],
    ["504,1,ok,5,2023-02-29,,,,", /date\/time field value out of range/],
    ["505,1,ok,5,,{a,,,", /[Ee]xtra data after last expected column|malformed array/],
    ["506,1,ok,5,,,abcd,,", /value too long for type character varying\(3\)/],
    ["507,1,ok,5,,,,9,", /Foreign key checked_parent_fkey is violated: Key \(parent\)=\(9\)/],
    ["508,-1,ok,5,,,,,", /Check constraint positive/],
    ["509,1,ok,5,,,,,m0@x", /Unique constraint checked_email_key is violated/],
    ["510,1,ok", /^Missing data for column "s"/],
    ["511,1,ok,5,,,,,,extra", /[Ee]xtra data/],
    ['512,1,ok,5,,"a\n\nb",,,', /malformed array literal/],
  ];
  const records = Array.from({ length: 400 }, (_, i) => good(i));
  const places = bad.map((_, i) => 20 + i * 27);
  for (const [i, place] of places.entries()) records.splice(place, 0, bad[i]?.[0] as string);
  const [outcome] = await load("checked", columns, [records]);
  assert.deepEqual(
    outcome?.failures.map((f) => f.index),
    places,
  );
  outcome?.failures.forEach((failure, i) => {
    assert.match(failure.reason, bad[i]?.[1] as RegExp);
    assert.match(failure.code ?? "", /^[0-9A-Z]{5}$/);
  });
  assert.equal(outcome?.written, 400);
  assert.deepEqual(await db.client.query("SELECT count(*)::int AS n FROM checked"), [{ n: 400 }]);
});

test("a thousand bad rows cost a few statements each, however many lie together", async (t) => {
  await db.client.query("CREATE TABLE worst (id int PRIMARY KEY, n int, CHECK (n <> 7))");
  const records = Array.from(
    { length: 1800 },
    (_, i) => `${i},${i % 3 === 0 ? "x" : i % 3 === 1 ? "7" : "1"}`,
  );
  const statements = t.mock.method(pg.Client.prototype, "query");
  const [outcome] = await load("worst", ["id", "n"], [records]);
  assert.deepEqual([outcome?.written, outcome?.failures.length], [600, 1200]);
  const count = statements.mock.callCount();
  assert.ok(count <= 6 * 1200, `${count} statements`);
});

test("a bad row does not drag down an earlier good one with its key", async () => {
  await db.client.query("CREATE TABLE dragged (id int PRIMARY KEY, n int CHECK (n > 0))");
  const [outcome] = await load("dragged", ["id", "n"], [["1,5", "2,6", "1,-1", "2,7"]]);
  assert.deepEqual(
    outcome?.failures.map((f) => f.index),
    [2],
  );
  assert.deepEqual(await db.client.query("SELECT id, n FROM dragged ORDER BY id"), [
    { id: 1, n: 5 },
    { id: 2, n: 7 },
  ]);
});

test("generated, identity and default columns do as PostgreSQL users expect", async () => {
  await db.client.query(`CREATE TABLE made (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
    twice int GENERATED ALWAYS AS (a * 2) STORED, at timestamptz NOT NULL DEFAULT now())`);
  for (const chunks of [[["7,1"]], [["7,2", "8,1"]]]) await load("made", ["id", "a"], chunks);
  assert.deepEqual(await db.client.query("SELECT id::int, a, twice FROM made ORDER BY id"), [
    { id: 7, a: 2, twice: 4 },
    { id: 8, a: 1, twice: 2 },
  ]);
  await assert.rejects(
    open("made", ["id", "a", "twice"]),
    /"twice".*is generated.*`map: \{ "twice": "-" \}`/,
  );
});

test("audit triggers see each effect once, and nothing where nothing changed", async () => {
  await db.client.query(`CREATE TABLE watched (id int PRIMARY KEY, v text);
    CREATE TABLE audit (op text, kind text, id int);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO audit VALUES (TG_OP, TG_WHEN, NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER a AFTER INSERT OR UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER b BEFORE INSERT OR UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION note()`);
  await load("watched", ["id", "v"], [["1,a", "2,a"]]);
  await db.client.query("DELETE FROM audit");
  await load("watched", ["id", "v"], [["1,a", "2,a"]]);
  assert.deepEqual(await db.client.query("SELECT * FROM audit"), []);
  await load("watched", ["id", "v"], [["1,a", "2,b", "3,c"]]);
  assert.deepEqual(await db.client.query("SELECT op, id FROM audit WHERE kind = 'AFTER' ORDER BY id"), [
    { op: "UPDATE", id: 2 },
    { op: "INSERT", id: 3 },
  ]);
});

test("a trigger may drop a row or refuse it", async () => {
  await db.client.query(`CREATE TABLE gated (id int PRIMARY KEY, v text);
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.v = 'drop' THEN RETURN NULL; END IF;
      IF NEW.v LIKE '23%' THEN RAISE EXCEPTION 'boo' USING ERRCODE = NEW.v; END IF;
      IF NEW.v = 'stop' THEN RAISE EXCEPTION 'no % here', NEW.id; END IF; RETURN NEW; END $$;
    CREATE TRIGGER g BEFORE INSERT ON gated FOR EACH ROW EXECUTE FUNCTION gate()`);
  const [a, b] = await load(
    "gated",
    ["id", "v"],
    [
      ["1,a", "2,drop", "3,c"],
      ["4,a", "5,stop"],
    ],
  );
  assert.deepEqual([a?.written, a?.failures.length], [2, 0]);
  assert.deepEqual(
    b?.failures.map((f) => [f.index, f.reason, f.code]),
    [[1, "No 5 here.", "P0001"]],
  );
  // Without a name of a constraint or column there is nothing but the message.
  const codes = ["23502", "23503", "23505", "23514", "23P01"];
  const [raised] = await load(
    "gated",
    ["id", "v"],
    [["1,a", ...codes.map((code, at) => `${at + 10},${code}`)]],
  );
  assert.deepEqual(
    raised?.failures.map(({ reason, code }) => [reason, code]),
    codes.map((code) => ["Boo.", code]),
  );
  await db.client.query(
    "CREATE DOMAIN known AS text NOT NULL; CREATE TABLE knows (id int PRIMARY KEY, v known)",
  );
  const [unknown] = await load("knows", ["id", "v"], [["1,", "2,b"]]);
  assert.deepEqual(
    [unknown?.written, unknown?.failures.map(({ reason }) => /null/.test(reason) && !/"null"/.test(reason))],
    [1, [true]],
  );
});

test("a row that a trigger drops is skipped, in whichever way rows are written", async () => {
  await db.client.query(`CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = TG_ARGV[0] AND NEW.id % 2 = 0 THEN RETURN NULL; END IF; NEW.low = lower(NEW.low); RETURN NEW; END $$`);
  const columns = ["id", "v", "low"];
  for (const event of ["INSERT", "UPDATE"] as const) {
    const table = `drops_${event.toLowerCase()}`;
    await db.client.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v text CHECK (v <> 'bad'), low text);
      INSERT INTO ${table} SELECT g, 'a', 'x' FROM generate_series(1, 8) g;
      CREATE TRIGGER t BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION drops('${event}')`);
    const inserts = event === "INSERT" ? 2 : 0;
    for (const [lines, unchanged, skipped, failures] of [
      // New ones alone, as COPY would take them.
      [["11,a,x", "12,a,x", "13,a,x", "14,a,x"], 0, inserts, 0],
      // As they are, and as the trigger makes them.
      [["1,a,x", "2,a,x", "3,a,X"], 3, 0, 0],
      [["1,b,x", "2,b,x", "3,b,x", "4,b,x", "5,a,x", "6,a,x"], 2, 2, 0],
      // Twice in one chunk: the last counts, and a row before it gives way to it.
      [["5,c,x", "5,d,x", "6,c,x", "6,d,x"], 0, 3, 0],
      // With one that is refused, so that rows are written one by one.
      [["7,e,x", "8,e,x", "21,bad,x", "7,e,X"], 1, 1, 1],
    ] as const) {
      const [outcome] = await load(table, columns, [[...lines]]);
      assert.ok(outcome);
      assert.deepEqual(
        [outcome.written, outcome.unchanged, outcome.skipped, outcome.failures.length],
        [lines.length - unchanged - skipped - failures, unchanged, skipped, failures],
        `${event} ${lines.join(" ")}`,
      );
    }
  }
});

test("partitions take their rows, and one that fits nowhere is refused", async () => {
  await db.client.query(`CREATE TABLE parts (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE parts_24 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`);
  const columns = ["id", "day", "v"];
  const outcomes = await load("parts", columns, [
    ["1,2024-01-01,a", "2,2024-05-05,b"],
    ["1,2024-01-01,a", "2,2024-05-05,c", "3,2030-01-01,x"],
  ]);
  assert.deepEqual(
    outcomes.map((o) => [o.written, o.unchanged, o.failures.length]),
    [
      [2, 0, 0],
      [1, 1, 1],
    ],
  );
  assert.match(outcomes[1]?.failures[0]?.reason ?? "", /[Nn]o partition/);
});

test("deferred constraints are checked with the chunk, and rows of it may refer to each other", async () => {
  await db.client.query(`CREATE TABLE tree (id int PRIMARY KEY,
    parent int REFERENCES tree DEFERRABLE INITIALLY DEFERRED, n int)`);
  const [outcome] = await load("tree", ["id", "parent", "n"], [["1,4,0", "2,99,0", "3,,x", "4,,0", "5,2,0"]]);
  assert.deepEqual(
    outcome?.failures.map((f) => [f.index, f.code]),
    [
      [1, "23503"],
      [2, "22P02"],
      [4, "23503"],
    ],
  );
  assert.deepEqual(await db.client.query("SELECT id FROM tree ORDER BY id"), [{ id: 1 }, { id: 4 }]);
});

test("columns are mapped, left out, and computed on the server", async () => {
  await db.client.query(
    "CREATE TABLE mapped (email text PRIMARY KEY, full_name text, seen timestamptz, origin text)",
  );
  const columns = ["Mail", "First", "Last", "x"];
  const options = {
    map: { Mail: "email", First: "-", Last: "", x: "-" },
    set: { full_name: "First || ' ' || \"Last\"", seen: "now()", origin: "'file'" },
  };
  const first = await load("mapped", columns, [["a@x,Ann,Lee,1", "b@x,Bob,Ray,2"]], options);
  const [before] = await db.client.query("SELECT * FROM mapped ORDER BY email");
  const second = await load("mapped", columns, [["a@x,Ann,Lee,9", "b@x,Rob,Ray,2"]], options);
  assert.deepEqual([first[0]?.written, second[0]?.written, second[0]?.unchanged], [2, 1, 1]);
  const [after, changed] = await db.client.query<{ full_name: string }>(
    "SELECT * FROM mapped ORDER BY email",
  );
  assert.deepEqual(after, before);
  assert.equal(changed?.full_name, "Rob Ray");
});

test("objects are encoded by the type of their column", async () => {
  await db.client.query(`CREATE TABLE things (id bigint PRIMARY KEY, t text, n numeric, b boolean, at timestamptz,
    raw bytea, tags text[], grid int[], doc jsonb, untouched text DEFAULT 'kept')`);
  const sink = await open("things", null, {}, { transformed: true, sample: async () => [{ id: 1, t: "" }] });
  const writer = await only(sink);
  const item = {
    id: 2n ** 62n,
    t: 'tab\t new\nline \\ "q" \\N',
    n: 1.5,
    b: true,
    at: new Date("2024-01-02T03:04:05.678Z"),
    raw: Buffer.from([0, 255, 92]),
    tags: ["a b", 'q"\\', null, ""],
    grid: [
      [1, 2],
      [3, 4],
    ],
    doc: { a: [1, null, "ü\n"], big: 12345678901234567890n },
  };
  const outcome = await write(
    writer,
    objectChunk<unknown>([
      item,
      { id: 5, t: undefined, n: null },
      { id: 6, at: new Date(Number.NaN) },
      { id: 7, t: "seven" },
      { id: 5, b: false },
      { id: "x", t: "bad" },
    ]),
  );
  await writer.close();
  assert.deepEqual(
    outcome.failures.map((f) => f.index),
    [2, 5],
  );
  assert.equal(outcome.written, 4);
  const rows = await db.client.query(
    `SELECT id::text, t, n::text, b, at, raw, tags, grid, doc::text, untouched FROM things ORDER BY things.id`,
  );
  assert.deepEqual(rows, [
    {
      id: "5",
      t: null,
      n: null,
      b: false,
      at: null,
      raw: null,
      tags: null,
      grid: null,
      doc: null,
      untouched: "kept",
    },
    {
      id: "7",
      t: "seven",
      n: null,
      b: null,
      at: null,
      raw: null,
      tags: null,
      grid: null,
      doc: null,
      untouched: "kept",
    },
    {
      ...item,
      id: "4611686018427387904",
      n: "1.5",
      doc: '{"a": [1, null, "ü\\n"], "big": 12345678901234567890}',
      untouched: "kept",
    },
  ]);
});

test("items that are no rows of the table are refused, and all of the first ones are a mistake of the job", async () => {
  const sink = await open("things", null, {}, { transformed: true });
  const writer = await only(sink);
  const wrong = [
    [{ id: 1, tagz: "x" }, /no column for "tagz".*did you mean tags/],
    ["text", /must be an object/],
    [{ t: "no key" }, /key column "id"/],
  ] as const;
  for (const [item, reason] of wrong) {
    await assert.rejects(write(writer, objectChunk([item, item])), reason);
    assert.match((await write(writer, objectChunk([item]))).failures[0]?.reason ?? "", reason);
  }
  assert.equal((await write(writer, objectChunk([{ id: 1, t: "x" }, "text"]))).failures.length, 1);
  for (const [item] of wrong)
    assert.equal((await write(writer, objectChunk([item, item]))).failures.length, 2);
  await writer.close();
});

test("row-level security is respected although COPY cannot work with it", async () => {
  const limited = db.server.roleName("limited");
  await db.client.query(`CREATE TABLE secured (id int PRIMARY KEY, v text); CREATE ROLE ${limited} LOGIN PASSWORD 'pw';
    GRANT ALL ON secured TO ${limited}; ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON secured USING (true) WITH CHECK (v <> 'hidden')`);
  const other = new URL(db.url);
  other.username = limited;
  other.password = "pw";
  const sink = await open("secured", ["id", "v"], { url: other.href });
  assert.equal(sink.guarantee, "idempotent");
  const writer = await only(sink);
  const outcome = await write(writer, csvChunk(["id", "v"], ["1,a", "2,b"]));
  assert.equal(outcome.written, 2);
  await writer.close();
});

test("keys of several columns and of types with their own equality merge right", async () => {
  await db.client.query(
    `CREATE TABLE pairs (a text, b uuid, c numeric, PRIMARY KEY (a, b, c), v int)`.replace(
      ", PRIMARY KEY (a, b, c), v int",
      ", v int, PRIMARY KEY (a, b, c)",
    ),
  );
  const id = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  const outcomes = await load(
    "pairs",
    ["a", "b", "c", "v"],
    [[`x,${id},1,1`], [`x,{${id.toUpperCase()}},1.0,2`, `y,${id},1,1`]],
  );
  assert.deepEqual(
    outcomes.map((o) => o.written),
    [1, 2],
  );
  assert.deepEqual(await db.client.query("SELECT a, v FROM pairs ORDER BY a"), [
    { a: "x", v: 2 },
    { a: "y", v: 1 },
  ]);
});

test("a key that may be null lets every row without one in", async () => {
  await db.client.query("CREATE TABLE loose (k int UNIQUE, v text)");
  const outcomes = await load(
    "loose",
    ["k", "v"],
    [
      [",a", ",b", "1,a", "1,b"],
      [",c", "1,b"],
    ],
    { key: ["k"] },
  );
  assert.deepEqual(
    outcomes.map((o) => [o.written, o.unchanged, o.skipped]),
    [
      [3, 0, 1],
      [1, 1, 0],
    ],
  );
});

test("columns may be called like what every object inherits, and are NULL for items that lack them", async () => {
  const names = Object.getOwnPropertyNames(Object.prototype);
  const declared = names.map((name) => `"${name}" text`).join(", ");
  await db.client.query(`CREATE TABLE inherited (id int PRIMARY KEY, ${declared})`);
  const writer = await only(await open("inherited", null));
  const full = (id: number) =>
    Object.fromEntries([["id", id], ...names.map((name) => [name, `${name} ${id}`])]);
  // Of as many names as the one before, and not the same.
  const other = (left: string) =>
    Object.fromEntries([
      ["id", names.indexOf(left) + 10],
      ...names.filter((name) => name !== left).map((name) => [name, "x"]),
    ]);
  const outcome = await write(writer, objectChunk([full(1), { id: 2 }, full(3), ...names.map(other)]));
  await writer.close();
  assert.deepEqual([outcome.written, outcome.failures], [3 + names.length, []]);
  const rows = await db.client.query<{ id: number; row: string }>(
    "SELECT id, to_json(i)::text AS row FROM inherited i ORDER BY id",
  );
  const values = new Map(rows.map(({ id, row }) => [id, new Map(Object.entries(JSON.parse(row)))]));
  for (const [at, name] of names.entries()) {
    assert.deepEqual(
      [values.get(1), values.get(2), values.get(3), values.get(at + 10)].map((row) => row?.get(name)),
      [`${name} 1`, null, `${name} 3`, null],
    );
  }
});
