/** A map over a pool whose workers have started: what runs here and in the workers. */
import { Pool } from "../../src/pool/index.ts";
import { calledSince, inMost, print } from "./windows.ts";
import { spin } from "./work.ts";

const windows: Set<string>[] = [];
await using pool = new Pool({ workers: 2 });
const items = Array.from({ length: 400 }, (_, at) => at);
for (let round = 0; round < 6; round++) {
  await calledSince();
  await pool.map(spin, items);
  const called = await calledSince();
  // The first map starts the workers.
  if (round > 0) windows.push(called);
}
print("pool.map on two threads, started before", inMost(windows));
