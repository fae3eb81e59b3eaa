import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, ItemError, run } from "../../../../../src/batch/index.ts";
import { openItems, replayJob } from "../../../../../src/batch/internal.ts";
import { csv } from "../../../../../src/connect/csv/index.ts";
import { type DeleteOptions, del, insert, table, update } from "../../../../../src/connect/postgres/index.ts";
import type { QuarantineRecord } from "../../../../../src/store/contract.ts";
import { randomFrom, seed } from "../../../../random.ts";
import { audit, changes, TableScene } from "../../scene.ts";
import { TestClient } from "../../server.ts";

const ROWS = 3000;
const tickets = `CREATE TABLE tickets (id bigint PRIMARY KEY, token uuid UNIQUE, n int NOT NULL DEFAULT 0, stamp timestamptz);
  INSERT INTO tickets SELECT g, gen_random_uuid() FROM generate_series(1, ${ROWS}) g; ${audit} ANALYZE tickets;`;

type Ticket = { readonly id: string; readonly token: string; readonly n: number };

describe("rows of a table in use", () => {
  const scene = TableScene.use();

  it("are not waited for longer than the server can, nor for no time", async () => {
    const { url, client } = await scene.database(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)",
    );
    const change = (limits: Pick<DeleteOptions, "lockTimeout" | "statementTimeout">) =>
      scene.run({
        source: table({ url, table: "t" }),
        sink: del({ url, table: "t", ...limits }),
      });
    for (const option of ["lockTimeout", "statementTimeout"]) {
      for (const ms of [2 ** 31, 2 ** 53, Number.POSITIVE_INFINITY, 0, -1, Number.NaN])
        await assert.rejects(change({ [option]: ms }), {
          code: "postgres.timeout",
          message: new RegExp(`^\`${option}\` is ${ms} ms, and the server takes 1 ms to 24 days: `),
        });
    }
    assert.deepEqual(await client.query("SELECT id FROM t"), [{ id: 1 }]);
    const done = await change({ lockTimeout: 2 ** 31 - 1, statementTimeout: "10min" });
    assert.deepEqual([done.state, done.written], ["succeeded", 1], done.note);
  });

  it("are changed by a transform, each once", async () => {
    const { url, client } = await scene.database(tickets);
    const tokens = new Map<string, string>();
    const summary = await scene.run({
      source: table({ url, table: "tickets", columns: ["id"] }),
      transform: ({ id }) => {
        const token = randomUUID();
        tokens.set(String(id), token);
        return { id, token };
      },
      sink: update({ url, table: "tickets", set: { stamp: "now()", n: "n + 1" } }),
    });
    const { state, read, written, skipped, unchanged } = summary;
    assert.deepEqual([state, read, written, skipped, unchanged], ["succeeded", ROWS, ROWS, 0, 0]);
    assert.deepEqual(await changes(client), { once: ROWS });
    const rows = await client.query<Ticket & { stamp: Date | null }>("SELECT * FROM tickets");
    for (const { id, token, n, stamp } of rows) {
      assert.deepEqual([token, n, stamp === null], [tokens.get(id), 1, false]);
    }
    assert.deepEqual(await client.query("SELECT run, shard FROM pawl.checkpoint"), [
      { run: summary.run, shard: -1 },
    ]);
  });

  it("are changed by an expression where they are, each once", async () => {
    const { url, client } = await scene.database(tickets);
    const before = await client.query<Ticket>("SELECT id, token FROM tickets");
    const summary = await scene.run({
      source: table({ url, table: "tickets", where: "id > 100" }),
      sink: update({
        url,
        table: "tickets",
        set: { token: "gen_random_uuid()", n: "tickets.n + id -- a comment" },
      }),
    });
    assert.deepEqual([summary.state, summary.read, summary.written], ["succeeded", ROWS - 100, ROWS - 100]);
    assert.deepEqual(await changes(client), { once: ROWS - 100 });
    const old = new Map(before.map(({ id, token }) => [id, token]));
    const rows = await client.query<Ticket>("SELECT * FROM tickets");
    for (const { id, token, n } of rows) {
      assert.deepEqual([token !== old.get(id), n], Number(id) > 100 ? [true, Number(id)] : [false, 0]);
    }
  });

  it("are deleted, each once: those a transform picks, and those that meet the condition", async () => {
    const { url, client } = await scene.database(tickets);
    const transformed = await scene.run({
      source: table({ url, table: "tickets" }),
      transform: (row) => (Number(row.id) % 3 === 0 ? row : null),
      sink: del({ url, table: "tickets" }),
    });
    assert.deepEqual([transformed.written, transformed.skipped], [ROWS / 3, (ROWS * 2) / 3]);
    const direct = await scene.run({
      source: table({ url, table: "tickets", where: "id % 3 = 1" }),
      sink: del({ url, table: "tickets" }),
    });
    assert.deepEqual([direct.read, direct.written], [ROWS / 3, ROWS / 3]);
    assert.deepEqual(await changes(client), { once: (ROWS * 2) / 3 });
    const [left] = await client.query(
      "SELECT count(*)::int AS n, bool_and(id % 3 = 2) AS right FROM tickets",
    );
    assert.deepEqual(left, { n: ROWS / 3, right: true });
  });

  it("are copied into another table, each once", async () => {
    const { url, client } = await scene.database(
      `${tickets} CREATE TABLE copies (id bigint PRIMARY KEY, token uuid)`,
    );
    const copied = await scene.run({
      source: table({ url, table: "tickets", columns: ["id", "token"] }),
      sink: insert({ url, table: "copies" }),
    });
    assert.deepEqual([copied.state, copied.written], ["succeeded", ROWS]);
    const [same] = await client.query("SELECT count(*)::int AS n FROM tickets JOIN copies USING (id, token)");
    assert.deepEqual(same, { n: ROWS });
    const again = await scene.run({
      source: table({ url, table: "tickets" }),
      transform: ({ id, token }) => ({ id, token }),
      sink: insert({ url, table: "copies", onConflict: "ignore" }),
    });
    assert.deepEqual([again.state, again.written, again.skipped], ["succeeded", 0, ROWS]);
  });

  it("that already are as they should be are left alone, and those that are gone are skipped", async () => {
    const { url, client } = await scene.database(tickets);
    const summary = await scene.run({
      source: table({ url, table: "tickets" }),
      transform: async (row) => {
        if (Number(row.id) % 1000 === 0) await client.query("DELETE FROM tickets WHERE id = $1", [row.id]);
        return row;
      },
      sink: update({ url, table: "tickets" }),
    });
    const gone = ROWS / 1000;
    assert.deepEqual([summary.written, summary.unchanged, summary.skipped], [0, ROWS - gone, gone]);
    assert.deepEqual(await client.query("SELECT op, count(*)::int AS n FROM audit GROUP BY 1"), [
      { op: "DELETE", n: gone },
    ]);
  });

  it("that change between transform and write are transformed again as they are then", async () => {
    const { url, client } = await scene.database(tickets);
    const meddled = new Set<string>();
    const summary = await scene.run({
      source: table({ url, table: "tickets", where: "n >= 0" }),
      transform: async (row) => {
        const id = Number(row.id);
        if (id % 250 === 0 && !meddled.has(String(id))) {
          meddled.add(String(id));
          const n = id % 750 === 0 ? -1 : 1000;
          await client.query("UPDATE tickets SET n = $2 WHERE id = $1", [id, n]);
        }
        if (row.n === 1000 && id % 1000 === 0) throw new ItemError("a thousand is too much");
        return { id: row.id, n: Number(row.n) + 1 };
      },
      sink: update({ url, table: "tickets" }),
    });
    // 12 rows were changed meanwhile: 4 of them no longer meet the condition, 2 of the rest are refused.
    assert.deepEqual([summary.written, summary.skipped, summary.quarantined], [ROWS - 6, 4, 2]);
    assert.deepEqual(
      await client.query("SELECT n, count(*)::int AS rows FROM tickets GROUP BY n ORDER BY n"),
      [
        { n: -1, rows: 4 },
        { n: 1, rows: ROWS - 12 },
        { n: 1000, rows: 2 },
        { n: 1001, rows: 6 },
      ],
    );
  });

  it("lose nothing that others change while a slow transform has them in other threads", async () => {
    const { url, client } = await scene.database(
      `${tickets} DELETE FROM tickets WHERE id > 800; TRUNCATE audit`,
    );
    await using other = await TestClient.connect(url);
    const random = randomFrom(seed);
    let running = true;
    let raised = 0;
    const meddle = (async () => {
      while (running) {
        const changed = await other.query(
          "UPDATE tickets SET n = n + 1000 WHERE id % 100 = $1 RETURNING id",
          [Math.floor(random() * 100)],
        );
        raised += changed.length;
        await sleep(5);
      }
    })();
    const summary = await scene
      .run({
        source: table({ url, table: "tickets" }),
        transform: (row) => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
          return { ...row, n: Number(row.n) + 1 };
        },
        sink: update({ url, table: "tickets" }),
      })
      .finally(() => {
        running = false;
      });
    await meddle;
    assert.deepEqual([summary.state, summary.written], ["succeeded", 800]);
    const [sum] = await client.query("SELECT sum(n)::int AS n FROM tickets");
    assert.deepEqual(sum, { n: 800 + 1000 * raised });
    assert.ok(raised > 0);
  });

  it("are changed by the rows of a file, of which those that name no row are skipped", async () => {
    const { url, client } = await scene.database(`${tickets} CREATE TABLE plain (id int, n int)`);
    const lines = Array.from({ length: 1500 }, (_, at) => `${at * 3},${at}`);
    const source = csv(await scene.file(`id,n\n${lines.join("\n")}\n6,7000\n`));
    const summary = await scene.run({ source, sink: update({ url, table: "tickets" }) });
    // Key 0 and those above the last are not there, and key 6 comes twice.
    assert.deepEqual([summary.state, summary.read, summary.written], ["succeeded", 1501, ROWS / 3]);
    assert.equal(summary.skipped + summary.unchanged, 1501 - ROWS / 3);
    assert.equal((await changes(client)).once, ROWS / 3);
    const [row] = await client.query(
      "SELECT count(*)::int AS n FROM tickets WHERE id % 3 = 0 AND (n = id / 3 OR id = 6 AND n = 7000)",
    );
    assert.deepEqual(row, { n: ROWS / 3 });
    const loose = await scene.run({ source, sink: update({ url, table: "plain", key: ["id"] }) });
    assert.match(loose.note ?? "", /The key \(id\) of public.plain has no unique index/);
  });

  it("of which one result each takes the last of several for one row", async () => {
    const { url, client } = await scene.database(tickets);
    const summary = await scene.run({
      source: table({ url, table: "tickets", where: "id <= 100" }),
      transform: ({ id }) => [
        { id, n: 1 },
        { id: ` ${id}`, n: 2 },
        { id, n: 3 },
      ],
      sink: update({ url, table: "tickets" }),
    });
    assert.equal(summary.written + summary.skipped, 300);
    const [rows] = await client.query("SELECT count(*)::int AS n FROM tickets WHERE id <= 100 AND n = 3");
    assert.deepEqual(rows, { n: 100 });
  });

  it("that the table refuses are kept with the reason, and are changed by a replay once that is corrected", async () => {
    for (const way of ["transform", "expression"]) {
      const { url, client } = await scene.database(
        `${tickets} ALTER TABLE tickets ADD CONSTRAINT small CHECK (n < 3000 OR id NOT IN (7, 1503, 2999))`,
      );
      const job = {
        name: `refused by ${way}`,
        source: table({ url, table: "tickets" }),
        ...(way === "transform"
          ? {
              transform: ({ id }: Readonly<Record<string, unknown>>) => ({
                id,
                n: 5000 - 2000 * (id === "7" ? 1 : 0),
              }),
              sink: update({ url, table: "tickets" }),
            }
          : { sink: update({ url, table: "tickets", set: { n: "5000 - 2000 * (id = 7)::int" } }) }),
        shards: 2,
      };
      const summary = await run(job, { store: scene.store }).summary();
      assert.deepEqual([summary.state, summary.written, summary.quarantined], ["succeeded", ROWS - 3, 3]);
      const record = await scene.store.run(summary.run);
      assert.ok(record);
      const items: QuarantineRecord[] = [];
      for await (const item of openItems(scene.store, summary.run)) items.push(item);
      assert.deepEqual(items.map(({ at }) => at).sort(), [
        "public.tickets id=1503",
        "public.tickets id=2999",
        "public.tickets id=7",
      ]);
      for (const { reason, code, raw } of items) {
        assert.match(reason, /Check constraint small is violated/);
        assert.equal(code, "23514");
        assert.equal(JSON.parse(Buffer.from(raw).toString()).n, 0);
      }
      assert.deepEqual(await changes(client), { once: ROWS - 3 });
      await client.query("ALTER TABLE tickets DROP CONSTRAINT small; DELETE FROM tickets WHERE id = 2999");
      const replay = await run(replayJob(scene.store, record, job), { store: scene.store }).summary();
      assert.deepEqual([replay.state, replay.read, replay.written], ["succeeded", 3, 2]);
      const [row] = await client.query("SELECT min(n) AS n, count(*)::int AS rows FROM tickets WHERE n > 0");
      assert.deepEqual(row, { n: 3000, rows: ROWS - 1 });
      const left = await scene.store.quarantineCount(summary.run, { openOnly: true });
      assert.equal(left, way === "transform" ? 1 : 0);
    }
  });

  it("are changed once though connections end at random moments and rows are locked by others", async () => {
    const random = randomFrom(seed);
    const few = 2400;
    for (const way of ["transform", "expression"]) {
      const { url, client } = await scene.database(
        `${tickets} DELETE FROM tickets WHERE id > ${few}; TRUNCATE audit`,
      );
      await using other = await TestClient.connect(url);
      let running = true;
      let ended = 0;
      const meddle = (async () => {
        while (running && (await client.query("SELECT FROM audit LIMIT 1")).length === 0) await sleep(5);
        // Without an end, a busy machine would hardly finish a chunk between two of them.
        while (running && ended < 15) {
          await sleep(20 + random() * 180);
          const [row] = await client.query<{ n: number }>(
            `SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'pawl%' AND (pid * 31 + $1::int) % 10 < 4`,
            [Math.floor(random() * 10)],
          );
          ended += row?.n ?? 0;
        }
      })();
      const lock = (async () => {
        while (running) {
          await other.query("BEGIN; SELECT FROM tickets WHERE id % 499 = 0 FOR UPDATE");
          await sleep(30);
          await other.query("COMMIT");
          await sleep(15);
        }
      })();
      const summary = await scene
        .run({
          source: table({ url, table: "tickets" }),
          ...(way === "transform"
            ? { transform: ({ id, n }: Readonly<Record<string, unknown>>) => ({ id, n: Number(n) + 1 }) }
            : {}),
          sink: update({
            url,
            table: "tickets",
            lockTimeout: 10,
            ...(way === "transform" ? {} : { set: { n: "n + 1" } }),
          }),
          chunkSize: { max: 4096 },
        })
        .finally(() => {
          running = false;
        });
      await Promise.all([meddle, lock]);
      assert.deepEqual(
        [summary.state, summary.written],
        ["succeeded", few],
        `${way}, seed ${seed}: ${summary.note}`,
      );
      assert.deepEqual(await changes(client), { once: few });
      assert.deepEqual(await client.query("SELECT min(n), max(n) FROM tickets"), [{ min: 1, max: 1 }]);
      assert.ok(ended > 0);
    }
  });

  it("that come or go while it runs are dealt with as documented", async () => {
    const { url, client } = await scene.database(tickets);
    let done = false;
    const summary = await scene.run({
      source: table({ url, table: "tickets" }),
      shards: 1,
      chunkSize: { max: 2048 },
      transform: async ({ id, n }) => {
        if (id === "500" && !done) {
          done = true;
          // Behind the reading, ahead of it, and beyond the greatest key there was.
          await client.query(`INSERT INTO tickets (id, n) VALUES (0, 10), (-5, 10), (${ROWS + 1}, 10); DELETE FROM tickets WHERE id > 2000 AND id < 2500;
            UPDATE tickets SET id = 2100 WHERE id = 2000; INSERT INTO tickets (id, n) VALUES (2200, 10)`);
        }
        return { id, n: Number(n) + 1 };
      },
      sink: update({ url, table: "tickets" }),
    });
    assert.equal(summary.state, "succeeded");
    assert.deepEqual(await client.query("SELECT id::int, n FROM tickets WHERE n <> 1 ORDER BY id"), [
      { id: -5, n: 10 },
      { id: 0, n: 10 },
      { id: 2200, n: 11 },
      { id: ROWS + 1, n: 10 },
    ]);
    const [moved] = await client.query("SELECT n FROM tickets WHERE id = 2100");
    assert.deepEqual(moved, { n: 1 });
  });

  it("survive deadlocks with others that go the other way round", async () => {
    const { url, client } = await scene.database(tickets);
    await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET deadlock_timeout = '20ms'`);
    await using other = await TestClient.connect(url);
    let running = true;
    let deadlocks = 0;
    const backwards = (async () => {
      while (running) {
        await other
          .query(`BEGIN; UPDATE tickets SET stamp = now() WHERE id = 2000; SELECT pg_sleep(0.02);
            UPDATE tickets SET stamp = now() WHERE id = 1990; COMMIT`)
          .catch(async () => {
            deadlocks++;
            await other.query("ROLLBACK");
          });
      }
    })();
    const summary = await scene
      .run({
        source: table({ url, table: "tickets" }),
        sink: update({ url, table: "tickets", set: { n: "n + 1" } }),
      })
      .finally(() => {
        running = false;
      });
    await backwards;
    assert.deepEqual(
      [summary.state, summary.written, summary.note],
      ["succeeded", ROWS, undefined],
      `${deadlocks} deadlocks`,
    );
    assert.deepEqual(await client.query("SELECT min(n), max(n) FROM tickets"), [{ min: 1, max: 1 }]);
  });

  it("are changed though the transform returns for others what can be no row of the table", async () => {
    const { url, client } = await scene.database(
      "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g FROM generate_series(1, 20) g; CREATE TABLE into_it (LIKE t INCLUDING ALL)",
    );
    const odd: Readonly<Record<number, readonly [made: unknown, code: string]>> = {
      2: [{ v: "no key" }, "postgres.key-missing"],
      3: [{ id: 3, w: "no such column" }, "postgres.unknown-column"],
      5: ["a text", "postgres.item"],
      7: [7, "postgres.item"],
      11: [{ id: 11, v: Symbol("v") }, "encode"],
    };
    const transform = ({ id }: Readonly<Record<string, unknown>>) =>
      (odd[Number(id)]?.[0] ?? { id, v: "new" }) as Record<string, unknown>;
    const source = table({ url, table: "t", columns: ["id"] });
    for (const [sink, refused] of [
      [insert({ url, table: "into_it" }), [2, 3, 5, 7, 11]],
      [update({ url, table: "t" }), [2, 3, 5, 7, 11]],
      // Of what is deleted nothing but the key is looked at.
      [del({ url, table: "t" }), [2, 3, 5, 7]],
    ] as const) {
      const summary = await scene.run({ source, transform, sink });
      assert.equal(summary.state, "succeeded", summary.note);
      const codes: string[] = [];
      for await (const { code } of openItems(scene.store, summary.run)) codes.push(code ?? "");
      assert.deepEqual(codes.sort(), refused.map((id) => odd[id]?.[1] ?? "").sort());
    }
    assert.deepEqual(await client.query("SELECT count(*)::int AS n FROM into_it WHERE v = 'new'"), [
      { n: 15 },
    ]);
    assert.deepEqual(await client.query("SELECT array_agg(id ORDER BY id) AS ids FROM t"), [
      { ids: [2, 3, 5, 7] },
    ]);
  });

  it("are not called done where the table was emptied and filled again meanwhile", async () => {
    const refill = "INSERT INTO t SELECT g, g / 100, 'again' FROM generate_series(1, 300) g";
    const ways: Readonly<Record<string, [sql: string, refused: RegExp | null, note: RegExp | null]>> = {
      emptied: ["TRUNCATE t", /^public\.t has no rows now, and this run had changed \d+ rows/, null],
      "filled again": [
        `TRUNCATE t; ${refill}`,
        /^public\.t was emptied and filled again: all its 300 rows/,
        null,
      ],
      "rewritten with its rows": ["VACUUM FULL t", null, null],
      "of other types": [
        "ALTER TABLE t ALTER p TYPE numeric",
        null,
        /^public\.t was rewritten while this run/,
      ],
    };
    const { url, client } = await scene.database("CREATE TABLE t (id int PRIMARY KEY, p int, v text)");
    for (const parts of [false, true])
      for (const [how, [sql, refused, note]] of Object.entries(ways)) {
        if (parts && how !== "filled again") continue;
        await client.query(
          `DROP TABLE t; CREATE TABLE t (id int, p int, v text CONSTRAINT good CHECK (v <> 'bad'), PRIMARY KEY (id${parts ? ", p" : ""}))` +
            (parts
              ? " PARTITION BY LIST (p); CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0, 1, 3); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (2)"
              : ""),
        );
        await client.query(refill);
        await client.query("SELECT pg_stat_force_next_flush()");
        const job = (maxQuarantined: number) => ({
          name: `${how} ${parts}`,
          source: table({ url, table: "t" }),
          sink: update({ url, table: "t", set: { v: "CASE id WHEN 150 THEN 'bad' ELSE 'new' END" } }),
          shards: 1,
          maxQuarantined,
          commitTime: 1,
          chunkSize: { min: 2048, max: 4096 },
          key: `${how} ${parts}`,
        });
        const first = await scene.run(job(0));
        assert.ok(first.state === "failed" && first.written > 0 && first.read < 300, first.note);
        for (const one of sql.split("; ")) await client.query(one);
        await client.query("SELECT pg_stat_force_next_flush()");
        const notes: string[] = [];
        const again = run(defineJob(job(1) as never), { store: scene.store });
        again.on("note", (told) => notes.push(told));
        if (refused === null) {
          const { state, note: why } = await again.summary();
          assert.equal(state, "succeeded", `${how}: ${why}`);
          assert.deepEqual(await client.query("SELECT id FROM t WHERE v <> 'new'"), [{ id: 150 }]);
        } else
          await assert.rejects(async () => await again.summary(), {
            code: "postgres.other-table",
            message: refused,
          });
        assert.equal(
          notes.some((told) => note?.test(told) ?? /rewritten/.test(told)),
          note !== null,
          how,
        );
      }
  });

  it("of a key of several columns, and of a partitioned table, are changed once", async () => {
    const { url, client } = await scene.database(`
      CREATE TABLE tickets (tenant text COLLATE "de-x-icu", no int, id text GENERATED ALWAYS AS (tenant || no) STORED, n int DEFAULT 0, doc json,
        PRIMARY KEY (tenant, no)) PARTITION BY LIST (tenant);
      CREATE TABLE tickets_a PARTITION OF tickets FOR VALUES IN ('ä', 'b"', '{c,\\');
      CREATE TABLE tickets_b PARTITION OF tickets DEFAULT;
      INSERT INTO tickets (tenant, no, doc) SELECT (array['ä','b"','{c,\\','', 'NULL'])[g % 5 + 1], g, '{"a":1}' FROM generate_series(1, ${ROWS}) g; ${audit}`);
    const transformed = await scene.run({
      source: table({ url, table: "tickets" }),
      transform: (row) => ({ ...row, n: 1, doc: [row.no, "x"] }),
      sink: update({ url, table: "tickets" }),
    });
    assert.deepEqual([transformed.state, transformed.written], ["succeeded", ROWS]);
    assert.deepEqual(await changes(client), { once: ROWS });
    await client.query("TRUNCATE audit");
    const set = await scene.run({
      source: table({ url, table: "tickets" }),
      sink: update({ url, table: "tickets", set: { n: "n + 1" } }),
    });
    assert.deepEqual([set.state, set.written], ["succeeded", ROWS]);
    assert.deepEqual(await changes(client), { once: ROWS });
    const [row] = await client.query(
      "SELECT min(n), max(n), count(*) FILTER (WHERE doc->>1 = 'x')::int AS docs FROM tickets",
    );
    assert.deepEqual(row, { min: 2, max: 2, docs: ROWS });
  });

  it("are not met twice where a change gives them another key, which is refused", async () => {
    const before = (body: string) =>
      `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN NEW; END $$;
       CREATE TRIGGER mover BEFORE UPDATE ON moved FOR EACH ROW EXECUTE FUNCTION f();`;
    const { url, client } = await scene.database("SELECT");
    type Row = Record<string, unknown>;
    const early =
      /^Rows of public\.moved cannot be read in the order of id, for the (trigger mover|foreign key moved_id_fkey) /;
    const late = /gives (\d+) rows of public\.moved another key \((id|computed)\)/;
    for (const [name, made, refused, key] of [
      ["assigned behind a condition", before('IF old.id < 1500 THEN NEW . "id" = 7; END IF;'), early],
      [
        "given by another record",
        before("new := jsonb_populate_record(new, jsonb_build_object('id', old.id + 50001));"),
        late,
      ],
      [
        "computed",
        "ALTER TABLE moved ADD computed int NOT NULL GENERATED ALWAYS AS (id + n * 50001) STORED UNIQUE;",
        late,
        ["computed"],
      ],
      [
        "of another row",
        "ALTER TABLE moved ADD FOREIGN KEY (id) REFERENCES moved (other) ON UPDATE CASCADE;",
        early,
      ],
      ["kept", before("IF new.id = 5 THEN new.n := new.n; END IF; new.id := old.id;"), null],
    ] as const) {
      await client.query(`DROP TABLE IF EXISTS moved; DROP FUNCTION IF EXISTS f();
        CREATE TABLE moved (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, other int UNIQUE);
        INSERT INTO moved SELECT g, 0, g FROM generate_series(1, 300) g; ${made}`);
      for (const transformed of name.startsWith("given") || refused === null ? [false, true] : [false]) {
        const own = key === undefined ? {} : { key };
        const told = await scene
          .run({
            source: table({ url, table: "moved", ...own }),
            ...(transformed
              ? { transform: ({ other, ...row }: Row) => ({ ...row, n: Number(row.n) + 1 }) }
              : {}),
            sink: update({
              url,
              table: "moved",
              ...own,
              ...(transformed ? {} : { set: { n: "n + 1", other: "-id" } }),
            }),
            shards: 1,
          })
          .catch((error: Error) => ({ state: "refused", note: error.message }));
        const [{ most, least }] = (await client.query(
          "SELECT max(n) AS most, min(n) AS least FROM moved",
        )) as [Row];
        if (refused !== null) assert.match(told.note ?? "", refused, name);
        const times = refused !== null ? 0 : transformed ? 2 : 1;
        assert.deepEqual([least, most], [times, times], `${name}: ${told.note}`);
      }
    }
  });

  it("are not touched when the definition is wrong, which is said in one sentence", async () => {
    const role = scene.server.roleName("reader");
    const { url, client } = await scene.database(
      `${tickets} CREATE TABLE plain (id int, g int GENERATED ALWAYS AS (1) STORED); CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT SELECT ON tickets TO ${role}`,
    );
    const source = table({ url, table: "tickets" });
    const rejects = async (sink: ReturnType<typeof update>, code: string, message = /./) => {
      await assert.rejects(async () => await scene.run({ source, sink }), { code, message });
    };
    await rejects(
      update({ url, table: "tickets", set: { tokn: "1" } }),
      "postgres.set",
      /did you mean token/,
    );
    await rejects(
      update({ url, table: "tickets", set: { n: "nn + 1" } }),
      "postgres.set",
      /column "nn" does not exist/,
    );
    await rejects(update({ url, table: "tickets", set: { id: "id + 1" } }), "postgres.set-key", /met twice/);
    const parameter =
      /does not work .*\(\$1, \$2 … are parameters, and there are no values for them: write the value itself\)/;
    for (const given of ["$1", "n + $2", "(SELECT $1::int)"]) {
      await rejects(update({ url, table: "tickets", set: { n: given } }), "postgres.set", parameter);
      for (const job of [{}, { transform: (row: object) => row }])
        await assert.rejects(
          async () =>
            await scene.run({
              source: table({ url, table: "tickets", where: `n = ${given}` }),
              ...job,
              sink: update({ url, table: "tickets", set: { n: "'$1'" } }),
            }),
          { code: "postgres.where", message: parameter },
        );
    }
    await rejects(update({ url, table: "tickets" }), "postgres.nothing-to-change", /`set: /);
    await rejects(update({ url, table: "plain", set: { g: "2" }, key: ["id"] }), "postgres.generated");
    await rejects(update({ url, table: "plain", set: { id: "2" } }), "postgres.no-key");
    await assert.rejects(
      async () =>
        await scene.run({
          source,
          transform: (row) => row,
          sink: update({ url, table: "plain", key: ["id"] }),
        }),
      { code: "postgres.key-not-unique", message: /The key \(id\) of public.plain has no unique index/ },
    );
    const reader = new URL(url);
    reader.username = role;
    reader.password = "x";
    await rejects(
      update({ url: reader.href, table: "tickets", set: { n: "1" } }),
      "postgres.permission",
      /GRANT UPDATE/,
    );
    await rejects(del({ url: reader.href, table: "tickets" }), "postgres.permission", /GRANT DELETE/);
    for (const [transform, code] of [
      [() => ({ id: 1, tokn: 2 }), /no column for "tokn".*did you mean token/],
      [() => ({ n: 2 }), /no "id", by which/],
      [({ id }: { id?: unknown }) => ({ id }), /no column .* to change/],
      [() => 7, /must be an object/],
    ] as const) {
      const summary = await scene.run({
        source,
        transform: transform as () => object,
        sink: update({ url, table: "tickets" }),
      });
      assert.equal(summary.state, "failed");
      assert.match(summary.note ?? "", code);
    }
    assert.deepEqual(await changes(client), { once: 0 });
  });
});
