/**
 * Started by a test, and killed by it at any moment: one of several workers that take from a queue and a bucket, fire a
 * schedule and take over from workers that are dead, until the callback of the group `top` has succeeded. Prints a line
 * for each claim.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Claim, openStore, type Store, type TaskResult } from "../../../src/store/index.ts";
import { newTask } from "./tasks.ts";

export const RATE = { bucket: "slow", intervalMs: 7.5, burst: 3 };

/** Some fail at first, and some have a successor in their place. */
function resultOf({ id, fence, task }: Claim): TaskResult {
  const number = Number(id.split(".")[1] ?? 0);
  if (number % 7 === 3 && fence === 1) return { state: "retry", delayMs: 0, error: "at first" };
  if (number % 5 === 4 && !id.endsWith("+")) {
    return { state: "succeeded", next: [newTask(`${id}+`)], successor: `${id}+` };
  }
  return { state: "succeeded", value: task.fence };
}

async function fire(store: Store, worker: string): Promise<void> {
  for (const { id, version, next, spec } of await store.schedules()) {
    if (next === null || next > (await store.now())) continue;
    // Its spec says when it ends.
    const then = next + 20 < Number(spec) ? next + 20 : null;
    await store.fireSchedule(id, version, then, [newTask(`tick/${version}/${worker}`)]);
  }
}

async function work(location: string, worker: string, deadWorkers: readonly string[]): Promise<void> {
  await using store = await openStore(location);
  const request = { queues: ["q"], leaseMs: 600_000, worker, buckets: [RATE] };
  for (let round = 0; ; round++) {
    await store.sweep({ deadWorkers, poisonAfter: 1_000 });
    await fire(store, worker);
    const claims = await store.claim({ ...request, n: 1 + (round % 5) });
    for (const { id, fence } of claims) process.stdout.write(`${id} ${fence}\n`);
    await store.settle(claims.map((claim) => ({ ...claim, result: resultOf(claim) })));
    if (claims.length > 0) continue;
    const [callback] = await store.query({ ids: ["top.callback"] });
    if (callback?.state === "succeeded") return;
    await sleep(5);
  }
}

const [location, worker, ...deadWorkers] = process.argv.slice(2);
if (location !== undefined && worker !== undefined) await work(location, worker, deadWorkers);
