/** A map over a pool whose workers have started: what runs here and in the workers. */
import { Pool } from "../../src/pool/index.ts";
import { calledSince, pathOf, printPath } from "./windows.ts";
import { spin } from "./work.ts";

const MAPS = 10;
const windows: Set<string>[] = [];
await using pool = new Pool({ workers: 2 });
const items = Array.from({ length: 400 }, (_, at) => at);
for (let round = 0; round <= MAPS; round++) {
  await calledSince();
  await pool.map(spin, items);
  const called = await calledSince();
  // The first map starts the workers.
  if (round > 0) windows.push(called);
}
printPath(
  "pool.map on two threads, started before",
  `A window goes from the call to its result: ${windows.length} maps of ${items.length} items, in all threads.`,
  pathOf(windows),
);
