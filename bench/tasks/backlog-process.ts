/** Enqueues and drains in a queue that was empty and in one with a backlog, by turns, and prints the times. */
import { openPawl } from "./rivals/pawl.ts";
import type { Rival } from "./rivals/rival.ts";

interface Round {
  readonly enqueueMs: number;
  readonly drainMs: number;
}

export interface BacklogRounds {
  readonly before: readonly Round[];
  readonly behind: readonly Round[];
}

const [emptyAt = "", fullAt = "", tasks = "0", backlog = "0", rounds = "0"] = process.argv.slice(2);
const count = Number(tasks);
const empty = await openPawl(emptyAt);
const full = await openPawl(fullAt);
await full.enqueue(Number(backlog));
// What is compiled and read for the first time.
await round(empty);
await round(full);
const before: Round[] = [];
const behind: Round[] = [];
for (let each = 0; each < Number(rounds); each++) {
  before.push(await round(empty));
  behind.push(await round(full));
}
await empty.close();
await full.close();
console.log(JSON.stringify({ before, behind } satisfies BacklogRounds));
process.exit();

async function round(rival: Rival): Promise<Round> {
  const began = performance.now();
  await rival.enqueue(count);
  const enqueueMs = performance.now() - began;
  return { enqueueMs, drainMs: await rival.drain(count) };
}
