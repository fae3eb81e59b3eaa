import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { Scene } from "../scene.ts";

describe("pawl sql", () => {
  let server: TestServer;
  let scene: Scene;

  before(async () => {
    server = await TestServer.shared();
    scene = await Scene.begin(server);
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
    await server.stop();
  });

  /** The types whose JavaScript values are not what PostgreSQL wrote. */
  const values = {
    day: ["date '2026-01-31'", "2026-01-31"],
    at: ["timestamp '2026-01-31 00:30:00.123456'", "2026-01-31 00:30:00.123456"],
    forever: ["timestamptz 'infinity'", "infinity"],
    early: ["date '0044-03-15 BC'", "0044-03-15 BC"],
    span: ["interval '1 day 02:03'", "1 day 02:03:00"],
    big: ["9007199254740993", "9007199254740993"],
    exact: ["1.50::numeric", "1.50"],
    days: ["array[date '2026-01-31']", "{2026-01-31}"],
    bytes: ["'\\x00ff'::bytea", "\\x00ff"],
    point: ["point '(1,2)'", "(1,2)"],
  } as const;
  const select = `SELECT ${Object.entries(values)
    .map(([name, [sql]]) => `${sql} AS ${name}`)
    .join(", ")}`;

  it("prints what PostgreSQL writes, whatever the time zone of this machine", async () => {
    for (const TZ of ["Europe/Berlin", "America/Los_Angeles"]) {
      const run = (...args: string[]) => scene.pawl(["sql", "--url", scene.url, ...args], { env: { TZ } });
      const table = await run(select);
      assert.equal(table.code, 0, table.err);
      assert.deepEqual(
        table.out.split("\n")[2]?.split(/ {2,}/),
        Object.values(values).map(([, text]) => text),
      );
      const json = await run(select, "--json");
      assert.deepEqual(JSON.parse(json.out), [
        Object.fromEntries(Object.entries(values).map(([name, [, text]]) => [name, text])),
      ]);
    }
  });

  it("is refused an empty statement, like every command an empty word", async () => {
    for (const args of [
      ["sql", ""],
      ["backfill", "--table", "t", "--set", "a=1", "--where", ""],
    ]) {
      const { code, err } = await scene.pawl(args);
      assert.equal(code, 2, err);
      assert.match(err, /^pawl: (<statement>|--where) was given without a value/);
    }
  });

  it("writes JSON that keeps numbers, columns of one name and nothing that a terminal obeys", async () => {
    const run = (...args: string[]) => scene.pawl(["sql", "--url", scene.url, ...args]);
    const json = await run(
      `SELECT 1 AS a, true AS a, 'NaN'::float8 AS f, '{"n": 12345678901234567890.10}'::jsonb AS j, NULL AS "__proto__"`,
      "--json",
    );
    assert.equal(
      json.out,
      '[{"a":1,"a_2":true,"f":"NaN","j":{"n": 12345678901234567890.10},"__proto__":null}]\n',
    );
    assert.equal((await run("SELECT e'\\x1b[31mred\\n' AS t")).out, "t\n-------------\n\\x1b[31mred\\n\n");
  });
});

describe("pawl load --dry-run", () => {
  it("tries the first rows and takes them back, and says what goes where and what would be refused", async () => {
    await using server = await TestServer.shared();
    await using scene = await Scene.begin(
      server,
      "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)",
    );
    await scene.write("people.csv", "ID,full,old\n1,Ann,x\n2,,x\n3,Bob,x\nz,Cid,x\ny,Dan,x\n");
    const args = ["people.csv", "--table", "people", "--map", "full=name", "--map", "old=-"];
    const dry = await scene.load([...args, "--dry-run"]);
    assert.equal(dry.code, 0, dry.err);
    assert.match(dry.out, /^would load people\.csv/);
    assert.match(dry.out, /ID goes to id \(integer\)\n +full goes to name \(text\)\n +old is left out/);
    assert.match(
      dry.out,
      /one chunk +5 rows in .* taken back: 2 written, 0 unchanged, 0 skipped, 3 quarantined/,
    );
    assert.match(dry.out, /quarantined +Column "full" may not be null/);
    assert.deepEqual(await scene.query("SELECT * FROM people"), []);
    const made = await scene.load(["people.csv", "--table", "made", "--create", "--dry-run"]);
    assert.equal(made.code, 0, made.err);
    assert.match(made.out, /taken back: 5 written/);
    assert.deepEqual(await scene.query("SELECT to_regclass('made') AS t, to_regnamespace('pawl') AS s"), [
      { t: null, s: null },
    ]);

    // What would be deleted is counted over the whole file, not the first chunk, and nothing of it is done.
    await scene.query("INSERT INTO people SELECT n, 'old' FROM generate_series(1, 9000) n");
    const rows = Array.from({ length: 8500 }, (_, n) => `${n + 501},name ${n}\n`).join("");
    await scene.write("all.csv", `id,name\n${rows}9001,new\n`);
    const missing = ["all.csv", "--table", "people", "--delete-missing", "--dry-run"];
    const would =
      "--delete-missing would delete 500 of 9001 rows, counted over all keys of the source, if no row is refused";
    for (const [flags, expected] of [
      [[], `${would}\n`],
      [
        ["--max-deletes", "499"],
        `${would}; that is more than --max-deletes 499 allows, which is 499: none would`,
      ],
    ] as const) {
      const counted = await scene.load([...missing, ...flags]);
      assert.ok(counted.out.includes(expected), counted.out + counted.err);
    }
    await scene.write("all.csv", `id,name\n${rows}x,new\n1,2,3\n`);
    const none = await scene.load(missing);
    assert.match(none.out, /--delete-missing would delete nothing, for 2 rows cannot be read: a load that/);
    const [count] = await scene.query("SELECT count(*)::int AS n FROM people WHERE name = 'old'");
    assert.deepEqual(count, { n: 9000 });
    await scene.query("DELETE FROM people");

    const done = await scene.load(args);
    assert.equal(done.code, 3, done.err);
    assert.match(
      done.out,
      /quarantined +3\n +2 Column "ID": invalid input syntax for type integer: "…"\.\n +1 Column/,
    );
    const by = await scene.pawl(["quarantine", "last", "--by", "reason"]);
    assert.match(
      by.out,
      /^ +2 +Column "ID": .* \(first: people\.csv line 5\)\n +1 +Column "full" may not be null\. \(first: /,
    );
    const json = JSON.parse((await scene.pawl(["quarantine", "last", "--by", "reason", "--json"])).out);
    assert.deepEqual(json[0].count, 2);
    assert.equal((await scene.pawl(["quarantine", "last", "--by", "row"])).code, 2);
  });
});
