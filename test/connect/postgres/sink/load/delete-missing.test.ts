import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineJob, failureReasons, run } from "../../../../../src/batch/index.ts";
import { dryRun, prepare, replayJob } from "../../../../../src/batch/internal.ts";
import { csv } from "../../../../../src/connect/csv/index.ts";
import { type PostgresOptions, postgres } from "../../../../../src/connect/postgres/index.ts";
import { TableScene } from "../../scene.ts";
import { TestClient } from "../../server.ts";

describe("what a load does in the end", () => {
  const scene = TableScene.use();

  const ids = async (client: TestClient) =>
    (await client.query<{ id: number }>("SELECT id FROM t ORDER BY id")).map(({ id }) => id);
  const rows = (from: number, to: number, v = "x") =>
    Array.from({ length: to - from + 1 }, (_, n) => `${from + n},${v}\n`).join("");
  const load = async (url: string, paths: string | string[], options: Partial<PostgresOptions> = {}) =>
    await scene.load(
      url,
      { paths },
      { deleteMissing: true, maxDeletes: "50%", ...options },
      { chunkSize: { min: 64, max: 256 } },
    );
  const table =
    "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad')); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g;";

  it("is to delete the rows that were in no file, however they were written", async () => {
    const { url, client } = await scene.database(table);
    const paths = [
      await scene.file(`id,v\n${rows(11, 60)}`),
      await scene.file(`id,v\n${rows(61, 95, "new")}${rows(101, 120)}`),
    ];
    const summary = await load(url, paths);
    assert.deepEqual([summary.state, summary.note], ["succeeded", "15 of 120 rows were deleted as missing"]);
    assert.equal(summary.deleted, 15);
    assert.deepEqual(
      await ids(client),
      [...Array(85).keys(), ...Array(20).keys()].map((n, at) => (at < 85 ? n + 11 : n + 101)),
    );
    assert.deepEqual(await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'seen%'"), []);
    const ignored = await load(url, paths[0] as string, { onConflict: "ignore", maxDeletes: 1000 });
    assert.deepEqual([ignored.state, ignored.note], ["succeeded", "55 of 105 rows were deleted as missing"]);
  });

  it("is to delete nothing where a row was bad, in a chunk of its own or beside others", async () => {
    for (const bad of ["5,bad\n", "x,y\n", "5,x,y,z\n"]) {
      const { url, client } = await scene.database(table);
      const summary = await load(url, await scene.file(`id,v\n${rows(1, 4)}${bad}${rows(6, 90)}`));
      assert.equal(summary.state, "succeeded", summary.note);
      assert.match(summary.note ?? "", /^no row was deleted as missing, for 1 row was quarantined/);
      assert.equal(summary.deleted, 0);
      assert.equal((await ids(client)).length, 100);
    }
  });

  it("is to delete nothing where the transform left rows out, whose keys are unknown", async () => {
    for (const onConflict of ["update", "ignore"] as const) {
      const { url, client } = await scene.database(table);
      // Twice the same key, and two rows of one: counted by what was written, not by what is there.
      const path = await scene.file(`id,v\n${rows(1, 98)}98,y\n`);
      const job = (leftOut: number) =>
        defineJob({
          name: "transformed",
          source: csv(path),
          sink: postgres({ url, table: "t", deleteMissing: true, onConflict }),
          transform: (row: Record<string, unknown>) =>
            row.id === "7" ? [row, { id: "200", v: "x" }] : Number(row.id) <= leftOut ? [] : row,
        });
      const told = async (leftOut: number) => {
        const prepared = await prepare(job(leftOut), { store: scene.store, dryRun: true });
        const trial = await dryRun(prepared, scene.folder);
        await prepared.sink.close();
        const { state, note } = await run(job(leftOut), { store: scene.store }).summary();
        return [state, note, ...(trial?.notes ?? []).filter((each) => each.includes("missing"))];
      };
      assert.deepEqual(await told(3), [
        "succeeded",
        "no row was deleted as missing, for 3 rows were left out by the transform, whose keys are not known: let it return them, or delete what is missing in SQL",
        "`deleteMissing` would delete nothing, for 3 rows were left out by the transform, whose keys are not known: let it return them, or delete what is missing in SQL",
      ]);
      assert.equal((await ids(client)).length, 101);
      assert.deepEqual((await told(0)).slice(0, 2), ["succeeded", "2 of 101 rows were deleted as missing"]);
    }
  });

  it("is to delete nothing where that would take other rows with it, and no row of a table that inherits", async () => {
    const self = "CREATE TABLE t (id int PRIMARY KEY, v text, p int REFERENCES t ON DELETE CASCADE);";
    const trigger = `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN DELETE FROM t WHERE id = 50; RETURN NULL; END $$; CREATE TRIGGER f AFTER DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION f();`;
    for (const [made, columns] of [
      [
        `${self} INSERT INTO t SELECT g, 'x', CASE WHEN g > 1 THEN 1 END FROM generate_series(1, 100) g;`,
        "id,v",
      ],
      [`${trigger} INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g;`, "id,v"],
    ] as const) {
      const { url, client } = await scene.database(made);
      const summary = await load(url, await scene.file(`${columns}\n${rows(2, 100)}`));
      assert.equal(summary.state, "failed");
      assert.match(
        summary.note ?? "",
        /^Deleting the 1 rows of public\.t that are missing changed (99|1) others/,
      );
      assert.equal((await ids(client)).length, 100);
    }
    const { url, client } = await scene.database(
      `${table} CREATE TABLE heir () INHERITS (t); INSERT INTO heir VALUES (500, 'x');`,
    );
    const summary = await load(url, await scene.file(`id,v\n${rows(2, 100)}`));
    assert.deepEqual([summary.state, summary.note], ["succeeded", "1 of 100 rows were deleted as missing"]);
    assert.equal((await ids(client)).at(-1), 500);
  });

  it("is to delete nothing where more are missing than may be, until that is allowed", async () => {
    const { url, client } = await scene.database(table);
    const path = await scene.file(`id,v\n${rows(1, 80)}`);
    const job = (maxDeletes: NonNullable<PostgresOptions["maxDeletes"]>) =>
      defineJob({
        name: "sync",
        key: "sync",
        source: csv(path),
        sink: postgres({ url, table: "t", deleteMissing: true, maxDeletes }),
      });
    for (const limit of ["10%", 0, 19] as const) {
      const refused = await run(job(limit), { store: scene.store }).summary();
      assert.equal(refused.state, "failed");
      assert.match(refused.note ?? "", /^20 of the 100 rows of public\.t are missing .* nothing was deleted/);
      assert.equal((await ids(client)).length, 100);
    }
    const done = await run(job(20), { store: scene.store }).summary();
    assert.deepEqual([done.state, (await ids(client)).length], ["succeeded", 80], done.note);
    await assert.rejects(async () => await run(job("many" as "1%"), { store: scene.store }).summary(), {
      code: "postgres.max-deletes",
    });
  });

  it("is to leave rows that others have added or changed since the load began, also before it was interrupted", async () => {
    for (const kind of [
      "",
      "PARTITION BY HASH (id); CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t1 (v text, id int NOT NULL); ALTER TABLE t ATTACH PARTITION t1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ]) {
      const { url, client } = await scene.database(`CREATE TABLE t (id int PRIMARY KEY, v text) ${kind}`);
      await using early = await TestClient.connect(url);
      await client.query("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g");
      await client.query("VACUUM (FREEZE) t");
      // Not over when the load begins, with numbers of its own and of its savepoints; what is over by then comes between.
      await early.query(
        "BEGIN; SAVEPOINT a; INSERT INTO t VALUES (901, 'x'); RELEASE a; INSERT INTO t VALUES (902, 'x')",
      );
      await client.query("INSERT INTO t VALUES (801, 'x')");
      await early.query("SAVEPOINT b; INSERT INTO t VALUES (903, 'x')");
      await client.query("INSERT INTO t VALUES (802, 'x')");
      let meanwhile = async () => {
        meanwhile = async () => {};
        await early.query("COMMIT");
        await client.query("INSERT INTO t VALUES (904, 'x'); UPDATE t SET v = 'y' WHERE id IN (1, 99)");
        await client.query(
          "DELETE FROM t WHERE id = 98; INSERT INTO t VALUES (98, 'x'); SELECT FROM t WHERE id = 97 FOR UPDATE",
        );
      };
      const path = await scene.file(`id,v\n${rows(1, 90)}`);
      const job = (maxDeletes: number) =>
        defineJob({
          name: "shared",
          key: `shared ${kind}`,
          source: csv(path),
          sink: postgres({ url, table: "t", deleteMissing: true, maxDeletes }),
          transform: async (row: Record<string, unknown>) => {
            await meanwhile();
            return row;
          },
        });
      const refused = await run(job(0), { store: scene.store }).summary();
      assert.match(refused.note ?? "", /^10 of the 106 rows of public\.t are missing/);
      await client.query("INSERT INTO t VALUES (905, 'x')");
      const { state, note, deleted } = await run(job(10), { store: scene.store }).summary();
      assert.deepEqual(
        [state, note],
        [
          "succeeded",
          "10 of 107 rows were deleted as missing; 7 rows that are in no file came or changed since the load began, and were left",
        ],
      );
      assert.equal(deleted, 10);
      assert.deepEqual((await ids(client)).slice(90), [98, 99, 901, 902, 903, 904, 905]);
      const [{ left }] = (await client.query("SELECT count(*)::int AS left FROM t WHERE v = 'y'")) as [
        { left: number },
      ];
      assert.equal(left, 1);
    }
  });

  it("is to delete nothing after a file that ends early, a run that is given up, or a replay", async () => {
    const { url, client } = await scene.database(table);
    const path = await scene.file(`id,v\n${rows(1, 50)}51,"never ends`);
    const failed = await load(url, path).catch((error: Error) => ({ state: "failed", note: error.message }));
    assert.equal(failed.state, "failed");
    assert.equal((await ids(client)).length, 100);

    const withBad = csv(await scene.file(`id,v\n${rows(1, 98)}99,bad\n100,bad\n`));
    const job = defineJob({
      name: "replayed",
      source: withBad,
      sink: postgres({ url, table: "t", deleteMissing: true, maxDeletes: "100%" }),
    });
    const summary = await run(job, { store: scene.store }).summary();
    assert.equal(summary.quarantined, 2);
    assert.deepEqual(
      (await failureReasons(scene.store, summary.run)).map(({ reason, count }) => [reason, count]),
      [["Check constraint t_v_check is violated.", 2]],
    );
    await client.query("ALTER TABLE t DROP CONSTRAINT t_v_check");
    const record = await scene.store.run(summary.run);
    assert.ok(record);
    const replay = await run(replayJob(scene.store, record, job as never), { store: scene.store }).summary();
    assert.deepEqual(
      [replay.state, replay.written, (await ids(client)).length],
      ["succeeded", 2, 100],
      replay.note,
    );
  });

  it("is refused to delete where keys do not tell rows apart", async () => {
    const { url, client } = await scene.database(
      `CREATE TABLE t (id int PRIMARY KEY, v text, e text UNIQUE, n text UNIQUE NULLS NOT DISTINCT); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN NEW.id = abs(NEW.id); RETURN NEW; END $$;`,
    );
    const path = await scene.file("id,v,e,n\n1,x,y,z\n");
    for (const options of [{ onConflict: "fail" as const }, { append: true }, { key: ["e"] }, { key: ["n"] }])
      await assert.rejects(load(url, path, options), { code: "postgres.delete-missing" });
    await client.query("CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
    await assert.rejects(load(url, path), {
      code: "postgres.delete-missing",
      message: /a trigger may compute its key/,
    });
  });

  it("is refused to delete where the role may not keep the keys, with the right that is missing", async () => {
    const role = scene.server.roleName("keeper");
    const { url, client } = await scene.database(
      `${table} CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT ALL ON t TO ${role}`,
    );
    const path = await scene.file(`id,v\n${rows(1, 95)}`);
    assert.equal((await load(url, path, { deleteMissing: false })).state, "succeeded");
    await client.query(
      `GRANT USAGE ON SCHEMA pawl TO ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON pawl.checkpoint TO ${role}`,
    );
    const own = new URL(url);
    own.username = role;
    own.password = "x";
    await assert.rejects(load(own.href, path), {
      code: "postgres.permission",
      message: new RegExp(`GRANT CREATE ON SCHEMA pawl TO ${role}\\.$`),
    });
    await client.query(`GRANT CREATE ON SCHEMA pawl TO ${role}`);
    assert.equal((await load(own.href, path)).note, "5 of 100 rows were deleted as missing");
  });

  it("is refused where the table is no longer the one that was written to before an interruption", async () => {
    const changes: Readonly<Record<string, [sql: string, code: string | null]>> = {
      "dropped and created": [
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text)",
        "was dropped and created again",
      ],
      emptied: ["TRUNCATE t", "has no rows now"],
      "emptied and filled again": [
        "TRUNCATE t; INSERT INTO t SELECT g, '' FROM generate_series(1, 9) g",
        "has 9 rows now",
      ],
      "rewritten with its rows": ["VACUUM FULL t", null],
      // That it is not the same rows cannot be told, since a load adds rows itself.
      "filled with as many": [
        "TRUNCATE t; INSERT INTO t SELECT g, '' FROM generate_series(1001, 1600) g",
        null,
      ],
    };
    // How rows are written makes a difference only where rows of others stand in the way.
    for (const [how, [sql, refusal]] of Object.entries(changes))
      for (const append of how.endsWith("again") ? [false, true] : [how === "emptied"]) {
        const { url, client } = await scene.database(
          "CREATE TABLE t (id int PRIMARY KEY, v text CONSTRAINT good CHECK (v <> 'bad'))",
        );
        const path = await scene.file(`id,v\n${rows(1, 100)}101,bad\n${rows(102, 201)}`);
        const job = (maxQuarantined: number) =>
          defineJob({
            name: how,
            key: how,
            source: csv(path),
            sink: postgres({ url, table: "t", ...(append ? { append } : {}) }),
            shards: 1,
            chunkSize: { min: 64, max: 1024 },
            maxQuarantined,
          });
        const first = await run(job(0), { store: scene.store }).summary();
        assert.ok(first.state === "failed" && first.written > 0 && first.written < 200, first.note);
        await client.query("ALTER TABLE t DROP CONSTRAINT good");
        await client.query(sql);
        const notes: string[] = [];
        const resumed = run(job(9), { store: scene.store });
        resumed.on("note", (note) => notes.push(note));
        const again = await resumed.summary();
        if (refusal === null) {
          const refilled = how.startsWith("filled");
          if (refilled)
            assert.match(
              notes.join("\n"),
              /^public\.t was rewritten while this run was interrupted: .*`restart`\.$/m,
            );
          const count = 200 + (refilled ? 600 - first.written : 0);
          assert.deepEqual([again.state, (await ids(client)).length], ["succeeded", count], again.note);
          continue;
        }
        assert.equal(again.state, "failed", how);
        assert.match(
          again.note ?? "",
          new RegExp(`^public\\.t ${refusal}, and this run had written ${first.written} rows .*\`restart\``),
        );
        const restarted = await run(job(9), { store: scene.store, restart: true }).summary();
        // Nine of them stand in the way of rows that are added.
        if (append && how.endsWith("again")) assert.equal(restarted.quarantined, 9);
        else
          assert.deepEqual([restarted.state, (await ids(client)).length], ["succeeded", 201], restarted.note);
      }
  });

  it("is refused where the target does not know what was done before an interruption", async () => {
    const empty = "CREATE TABLE t (id int PRIMARY KEY, v text CONSTRAINT good CHECK (v <> 'bad'))";
    const [here, there] = [await scene.database(empty), await scene.database(empty)];
    // Of two files, each its own shard, the second one stops the run.
    const paths = [
      await scene.file(`id,v\n${rows(1, 50)}`),
      await scene.file(`id,v\n${rows(51, 60)}61,bad\n`),
    ];
    const job = (url: string, maxQuarantined: number) =>
      defineJob({
        name: "moved",
        key: "moved",
        source: csv(paths),
        sink: postgres({ url, table: "t" }),
        shards: 1,
        maxQuarantined,
      });
    const first = await run(job(here.url, 0), { store: scene.store }).summary();
    assert.deepEqual([first.state, (await ids(here.client)).length >= 50], ["failed", true], first.note);
    await assert.rejects(async () => await run(job(there.url, 9), { store: scene.store }).summary(), {
      code: "run.other-target",
      message: /does not know of 1 of them: it is another database, or was set back/,
    });
    const done = await run(job(here.url, 9), { store: scene.store }).summary();
    assert.deepEqual([done.state, (await ids(here.client)).length], ["succeeded", 60], done.note);
  });

  it("is to say which sequence is behind, or to set it", async () => {
    const { url, client } = await scene.database(
      "CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, s serial, v text)",
    );
    const path = await scene.file("id,v\n7,a\n9,b\n");
    const told = await load(url, path, { deleteMissing: false });
    assert.equal(told.deleted, undefined);
    assert.match(
      told.note ?? "",
      /^the sequence public\.t_id_seq is behind: its next number is 1, and "id" goes up to 9: .*`resetSequence: true`/,
    );
    const set = await load(url, path, { deleteMissing: false, resetSequence: true });
    assert.deepEqual([set.state, set.note], ["succeeded", "the sequence public.t_id_seq was set to 9"]);
    const [row] = await client.query("INSERT INTO t (v) VALUES ('c') RETURNING id");
    assert.deepEqual(row, { id: 10 });
    assert.equal((await load(url, path, { deleteMissing: false })).note, undefined);
  });
});
