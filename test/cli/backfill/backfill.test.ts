import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { audit, changes } from "../../connect/postgres/scene.ts";
import { TestClient, TestServer } from "../../connect/postgres/server.ts";
import { type Outcome, type Running, Scene, until } from "../scene.ts";

const ROWS = 12_000;
const tickets = `CREATE TABLE tickets (id bigint PRIMARY KEY, token uuid, n int NOT NULL DEFAULT 0);
  INSERT INTO tickets SELECT g, gen_random_uuid() FROM generate_series(1, ${ROWS}) g; ${audit} ANALYZE tickets;`;

describe("pawl backfill", () => {
  let server: TestServer;

  before(async () => {
    server = await TestServer.shared();
  });
  after(() => server.stop());

  const start = (scene: Scene, ...args: string[]): Running =>
    scene.start(["backfill", "--url", scene.url, "--table", "tickets", ...args]);
  const run = (scene: Scene, ...args: string[]): Promise<Outcome> =>
    scene.pawl(["backfill", "--url", scene.url, "--table", "tickets", ...args]);
  const audited = async (scene: Scene) => {
    await using client = await TestClient.connect(scene.url);
    return await changes(client);
  };

  it("changes rows by an expression, after a dry run that changes nothing", async () => {
    await using scene = await Scene.begin(server, tickets);
    const args = ["--set", "token = gen_random_uuid()", "--set", "n = n + 1", "--where", "id <= 9000"];
    const dry = await run(scene, ...args, "--dry-run");
    assert.equal(dry.code, 0, dry.err);
    assert.match(dry.out, /plan +about 9,000 rows in \d+ shards/);
    assert.match(
      dry.out,
      /one chunk +\d[\d,]* rows in \d[\d,]* ms, taken back: \d[\d,]* written, 0 unchanged, 0 skipped, 0 quarantined/,
    );
    assert.deepEqual(await audited(scene), { once: 0 });
    assert.deepEqual(await scene.query("SELECT FROM pg_namespace WHERE nspname = 'pawl'"), []);

    const done = await run(scene, ...args);
    assert.equal(done.code, 0, done.err);
    assert.match(done.err, /completed 100\.00 % \(9,000 of 9,000\) · [\d,]+ rows\/s · 0 quarantined\n/);
    assert.match(done.out, /run \w+ succeeded\n +read +9,000 rows\n +written +9,000\n/);
    assert.deepEqual(await audited(scene), { once: 9_000 });
    assert.deepEqual(
      await scene.query("SELECT count(*)::int AS n FROM tickets WHERE n = (id <= 9000)::int"),
      [{ n: ROWS }],
    );
  });

  it("goes on where it was killed, with a transform too, and changes each row once", async () => {
    for (const way of ["set", "step"]) {
      await using scene = await Scene.begin(server, tickets);
      await scene.write(
        "step.ts",
        "export default (row: { id: string; n: number }) => ({ id: row.id, n: row.n + 1 });\n",
      );
      const args = way === "set" ? ["--set", "n = n + 1"] : ["--transform", "step.ts"];
      const first = start(scene, ...args, "--commit-time", "5ms");
      await until("rows are changed", async () => (await scene.count("audit")) > 500);
      first.child.kill("SIGKILL");
      await first.ended;
      const { code, out, err } = await run(scene, ...args, "--json");
      assert.equal(code, 0, err);
      const summary = JSON.parse(out);
      assert.deepEqual([summary.state, summary.read, summary.written], ["succeeded", ROWS, ROWS]);
      assert.deepEqual(await audited(scene), { once: ROWS });
      assert.equal((await scene.pawl(["status", "--json"])).out.match(/"run"/g)?.length, 1);
    }
  });

  it("waits while it is told to, shows why, and says nothing it cannot know", async () => {
    await using scene = await Scene.begin(server, tickets);
    await writeFile(scene.path("hold"), "");
    const running = start(
      scene,
      "--set",
      "n = n + 1",
      "--pause-file",
      "hold",
      "--pause-query",
      "SELECT 'a migration is on'",
      "--max-active",
      "1000",
    );
    await until("it waits", async () => /waiting/.test((await scene.status())?.note ?? ""));
    const shown = await scene.pawl(["status", "last", "--json"]);
    assert.match(JSON.parse(shown.out).note, /^waiting: the file .*hold is there; a migration is on$/);
    assert.deepEqual(await audited(scene), { once: 0 });
    const paused = await scene.pawl(["pause", "last"]);
    assert.equal(paused.code, 0, paused.err);
    assert.equal((await running.ended).code, 130);
    assert.doesNotMatch(running.err, / left /);

    await rm(scene.path("hold"));
    const done = await run(scene, "--set", "n = n + 1", "--json");
    assert.equal(JSON.parse(done.out).state, "succeeded", done.err);
    assert.deepEqual(await audited(scene), { once: ROWS });
  });

  it("keeps rows that the table refuses, and changes them by a replay", async () => {
    await using scene = await Scene.begin(
      server,
      `${tickets} ALTER TABLE tickets ADD CONSTRAINT odd CHECK (n < 100 OR id <> 77)`,
    );
    const first = await run(scene, "--set", "n = 100");
    assert.equal(first.code, 3, first.err);
    assert.match(first.out, /once fixed: +PAWL_STORE=\S+ (?:npx )?pawl quarantine replay \w+\n/);
    assert.match(
      (await scene.pawl(["quarantine", "last"])).out,
      /public\.tickets id=77 +Check constraint odd is violated/,
    );
    await scene.query("ALTER TABLE tickets DROP CONSTRAINT odd");
    const replay = await scene.pawl(["quarantine", "replay", "last", "--into", scene.url]);
    assert.equal(replay.code, 0, replay.err);
    assert.deepEqual(await scene.query("SELECT min(n), max(n) FROM tickets"), [{ min: 100, max: 100 }]);
    assert.deepEqual(await audited(scene), { once: ROWS });
  });

  it("refuses what cannot be meant, in one sentence", async () => {
    await using scene = await Scene.begin(server, tickets);
    for (const [args, sentence] of [
      [[], /does not know what to change: give --set/],
      [["--set", "tokn=1"], /no column "tokn" .*did you mean token\?/],
      [["--set", "id=id+1"], /--set cannot change id/],
      [["--set", "n=n", "--where", "nn > 1"], /--where nn > 1 does not work .*"nn" does not exist/],
      [
        ["--set", "n=n", "--where", "id < 5) OR (true"],
        /--where id < 5\) OR \(true does not work .*syntax error/,
      ],
      [
        ["--set", "n=n", "--where", "id < 5", "--where", "n = 0"],
        /--where .*given twice: join the two with AND/,
      ],
      [["--set", "n=1", "--window", "25:00-26:00"], /A time window is written like/],
      [["--set", "n=1", "--commit-time", "soon"], /--commit-time takes a duration such as/],
      [["--set", "n=1", "--max-lag", "5 bananas"], /--max-lag takes a time/],
    ] as const) {
      const { code, err } = await run(scene, ...args, "--dry-run");
      assert.equal(code, 2, err);
      assert.match(err, sentence);
      assert.equal(err.trim().split("\n").length, 1, err);
    }
    // Nothing was begun that would have to be removed.
    assert.equal((await run(scene, "--set", "n=n", "--where", "nn > 1")).code, 2);
    assert.match((await scene.pawl(["status"])).out, /no runs yet/);
    const hinted = await run(scene, "--set", "token=null", "--key", "n", "--dry-run");
    assert.match(hinted.out, /no index on \("n"\).*CREATE INDEX CONCURRENTLY/);
    assert.deepEqual(await audited(scene), { once: 0 });
  });
});
