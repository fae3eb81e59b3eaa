import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import type { TestServer } from "../../../connect/postgres/server.ts";
import { Scene, until } from "../../scene.ts";

const sources = new URL("../../../../src/", import.meta.url).href;
/** A small file is one shard. */
const FILES = 24;
const ROWS_EACH = 250;
const ROWS = FILES * ROWS_EACH;

/** Rows tell which process stepped them; steps are slow enough for others to come in time. */
const jobModule = `
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineJob } from "${sources}batch/index.ts";
import { csv } from "${sources}connect/csv/index.ts";
import { postgres } from "${sources}connect/postgres/index.ts";

export default ({ url }) => defineJob({
  name: "spread",
  source: csv("people-*.csv"),
  transform: async (row) => {
    if (Number(row.id) % 10 === 0) await sleep(20);
    return { ...row, by: String(process.pid) };
  },
  sink: postgres({ url, table: "people", onConflict: "fail" }),
  chunkSize: { min: 2048, max: 4096 },
  shards: 2,
  throttle: [() => (existsSync("wait") ? "the file wait is there" : null)],
});
`;

function people(file: number): string {
  const ids = Array.from({ length: ROWS_EACH }, (_, at) => file * ROWS_EACH + at + 1);
  return `id,name\n${ids.map((id) => `${id},Person number ${id}\n`).join("")}`;
}

export type StoreKind = "SQLite" | "PostgreSQL";

async function begin(
  server: TestServer,
  store: StoreKind,
): Promise<{ scene: Scene; env: Record<string, string> }> {
  const scene = await Scene.begin(server, "CREATE TABLE people (id int, name text, by text)");
  await scene.write("job.ts", jobModule);
  // No process continues before the test says so.
  await scene.write("wait", "");
  for (let file = 0; file < FILES; file++) await scene.write(`people-${file + 10}.csv`, people(file));
  return { scene, env: store === "SQLite" ? {} : { PAWL_STORE: scene.url } };
}

async function whoWrote(scene: Scene): Promise<Map<number, number>> {
  const rows = await scene.query<{ by: string; n: number }>(
    "SELECT by, count(*)::int AS n FROM people GROUP BY by",
  );
  return new Map(rows.map(({ by, n }) => [Number(by), n]));
}

/** Waits until so many processes hold shards of the run. */
async function holders(scene: Scene, env: Record<string, string>, count: number): Promise<void> {
  await until(`${count} processes hold shards`, async () => {
    const leased = await scene.stored((store) => store.query({ states: ["leased"] }), env.PAWL_STORE);
    return new Set(leased?.map(({ worker }) => worker)).size >= count;
  });
}

async function assertEachOnce(scene: Scene): Promise<void> {
  const [found] = await scene.query(
    "SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM people",
  );
  assert.deepEqual(found, { rows: ROWS, ids: ROWS });
}

/** Of a run that is spread over workers, in either store. */
export const spreads = {
  "goes on when any of them is killed, the one that began it included": async (server, store) => {
    const { scene, env } = await begin(server, store);
    await using _ = scene;
    const workers = [0, 1].map(() => scene.start(["worker", "job.ts", "--lease", "3s"], { env }));
    const starter = scene.start(["run", "job.ts", "--param", `url=${scene.url}`], { env });
    for (const worker of workers) await until("a worker takes part", () => /takes part\n/.test(worker.err));
    await holders(scene, env, 3);
    await rm(scene.path("wait"));
    const pids = [starter, ...workers].map(({ child }) => child.pid ?? -1);
    await until("each has written something", async () => {
      const wrote = await whoWrote(scene);
      return pids.every((pid) => (wrote.get(pid) ?? 0) > 0);
    });
    workers[0]?.child.kill("SIGKILL");
    starter.child.kill("SIGKILL");
    await until("the run is done", () => /run \w+: succeeded/.test(workers[1]?.err ?? ""));
    await assertEachOnce(scene);
    const told = JSON.parse((await scene.pawl(["status", "last", "--json"], { env })).out);
    assert.equal(told.state, "succeeded");
    assert.deepEqual([told.read, told.written, told.quarantined], [ROWS, ROWS, 0]);
    workers[1]?.child.kill("SIGTERM");
    assert.equal((await workers[1]?.ended)?.code, 0, workers[1]?.err);
  },

  "is left by a worker that is stopped, which costs nothing": async (server, store) => {
    const { scene, env } = await begin(server, store);
    await using _ = scene;
    const starter = scene.start(["run", "job.ts", "--param", `url=${scene.url}`], { env });
    const worker = scene.start(["worker", "job.ts"], { env });
    await holders(scene, env, 2);
    await rm(scene.path("wait"));
    await until("the worker has written something", async () =>
      (await whoWrote(scene)).has(worker.child.pid ?? -1),
    );
    worker.child.kill("SIGTERM");
    const left = await worker.ended;
    assert.deepEqual([left.code, /run \w+: left to other workers/.test(left.err)], [0, true], left.err);
    const { code, err } = await starter.ended;
    assert.equal(code, 0, err);
    await assertEachOnce(scene);
  },
} satisfies Record<string, (server: TestServer, store: StoreKind) => Promise<void>>;

export async function leavesOthersAlone(server: TestServer): Promise<void> {
  const { scene, env } = await begin(server, "SQLite");
  await using _ = scene;
  await scene.write("other.ts", jobModule.replace('"spread"', '"other"'));
  await scene.write("elsewhere/job.ts", jobModule.replace("people-*.csv", "not-there.csv"));
  const starter = scene.start(["run", "job.ts", "--param", `url=${scene.url}`], { env });
  await holders(scene, env, 1);
  const other = scene.start(["worker", "other.ts"], { env });
  const elsewhere = scene.start(["worker", "elsewhere/job.ts"], { env });
  await until("one says why", () => /cannot take part: .*not-there\.csv/.test(elsewhere.err));
  await rm(scene.path("wait"));
  assert.equal((await starter.ended).code, 0);
  assert.doesNotMatch(other.err, /takes part\n/);
}
