import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../src/store/index.ts";
import { TestClient, TestServer } from "../connect/postgres/server.ts";
import { Loader } from "./loader.ts";

const ROWS = 500;

/** Once the run is done, the same command again would be a new load. */
async function isDone(path: string): Promise<boolean> {
  const store = await openStore(path);
  try {
    return (await store.runs({})).some((run) => run.state === "succeeded");
  } finally {
    await store.close();
  }
}

/**
 * Kills a load of one chunk at each of these points where something becomes durable, gives it again, and compares the table.
 * Ends at the first point that a load does not come to; returns at how many it was killed.
 */
export async function killAtPoints(points: readonly number[]): Promise<number> {
  await using server = await TestServer.shared();
  const folder = mkdtempSync(join(tmpdir(), "pawl-points-"));
  const rows = Array.from({ length: ROWS }, (_, n) => `${n},name ${n}`);
  writeFileSync(join(folder, "rows.csv"), `id,name\n${rows.join("\n")}\n`);
  const url = await server.createDatabase();
  await using client = await TestClient.connect(url);
  let killed = 0;
  for (const point of points) {
    await client.query("DROP TABLE IF EXISTS people; CREATE TABLE people (id bigint, name text)");
    const argv = ["load", "rows.csv", "--into", url, "--table", "people", "--on-conflict", "fail"];
    const env = { PAWL_STORE: join(folder, `point-${point}.db`) };
    const first = new Loader(`point-${point}`, folder, argv, env, { point, signal: "SIGKILL" });
    const { signal } = await first.end();
    if (signal === null || (await isDone(env.PAWL_STORE))) break;
    killed++;
    const second = await new Loader(`after-${point}`, folder, argv, env, null).end();
    assert.equal(second.code, 0, `after point ${point}: ${second.stderr}`);
    const [row] = await client.query(
      "SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM people",
    );
    assert.deepEqual([point, row], [point, { rows: ROWS, ids: ROWS }]);
  }
  rmSync(folder, { recursive: true, force: true });
  return killed;
}
