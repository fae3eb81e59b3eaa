import assert from "node:assert/strict";
import type { RunSummary } from "../../../../src/batch/index.ts";
import type { TestServer } from "../../../connect/postgres/server.ts";
import { manyPeople, QUICK, SMALL_CHUNKS, slowTable } from "../../load/slow-load.ts";
import { type Running, Scene, until } from "../../scene.ts";

export type Stories = Readonly<Record<string, (server: TestServer) => Promise<void>>>;

const ROWS = 20_000;
export const LOAD = ["people.csv.gz", "--table", "people", ...SMALL_CHUNKS];

/**
 * A load of 20,000 rows that would take half a minute, which is time for a command even where it starts slowly, with its first
 * rows in the table.
 */
export async function underWay(
  server: TestServer,
  ...flags: string[]
): Promise<{ scene: Scene; loader: Running }> {
  const scene = await Scene.begin(server, slowTable(1.5));
  await scene.write("people.csv.gz", manyPeople(ROWS));
  const loader = scene.startLoad([...LOAD, ...flags]);
  await until("rows arrive", () => scene.count("people"));
  return { scene, loader };
}

/** Every row is there, and was counted once. */
export async function assertWhole(scene: Scene): Promise<void> {
  assert.equal(await scene.count("people"), ROWS);
  const { read, written, unchanged, state } = await statusOf(scene);
  assert.deepEqual(
    { read, written, unchanged, state },
    { read: ROWS, written: ROWS, unchanged: 0, state: "succeeded" },
  );
}

export async function quicken(scene: Scene): Promise<void> {
  await scene.query(QUICK);
}

export async function statusOf(scene: Scene, run = "last"): Promise<RunSummary> {
  const status = await scene.status(run);
  assert.ok(status !== null);
  return status;
}
