import assert from "node:assert/strict";
import type { BucketRate, Store, TaskResult } from "../../../src/store/index.ts";
import { newTask, settlement } from "./tasks.ts";

const RATE: BucketRate = { bucket: "slow", intervalMs: 1, burst: 100 };

/** What a worker does all the time, once each. */
export async function live(store: Store, mark: string): Promise<void> {
  const tasks = ["a", "b", "c", "d", "e"].map((name, n) =>
    newTask(`${mark} ${name}`, { priority: n === 4 ? 1 : 0 }),
  );
  await store.enqueue(tasks);
  await store.enqueue([
    newTask(`${mark} u`, { unique: mark, expiresMs: 1e6, retentionMs: 0, bucket: "slow" }),
  ]);
  await store.enqueue(Array.from({ length: 25 }, (_, n) => newTask(`${mark} many${n}`, { queue: "other" })));
  await store.claimableInMs(["q", "other"], [RATE]);
  const request = { queues: ["q"], leaseMs: 60_000, worker: "w" };
  const plain = await store.claim({ ...request, n: 5 });
  const laned = await store.claim({ ...request, queues: ["q", "other"], n: 3, buckets: [RATE] });
  const claims = [...plain, ...laned];
  assert.ok(plain.length === 5 && laned.length === 3, `${plain.length} ${laned.length}`);
  await store.renew(claims, 60_000);
  await store.progress(claims.map(({ id, fence }) => ({ id, fence, value: 1 })));
  const ends: TaskResult[] = [
    { state: "succeeded", value: 1 },
    { state: "retry", delayMs: 0, error: "again" },
    { state: "dead", error: "given up" },
    { state: "crashed", delayMs: 0, error: "died", poisonAfter: 5 },
    { state: "succeeded", next: [newTask(`${mark} next`)] },
  ];
  await store.settle(claims.map((claim, n) => settlement(claim, ends[n % ends.length] as TaskResult)));
  await store.sweep({ poisonAfter: 5, deadWorkers: ["gone"] });
  await store.query({ ids: [`${mark} a`] });
  await store.query({ unique: mark });
  await store.makeClaimable({ ids: [`${mark} c`] });
  await store.requestCancel({ ids: [`${mark} u`] });
  await store.prune(10);
  for (;;) {
    const rest = await store.claim({ ...request, queues: ["q", "other"], n: 50 });
    if (rest.length === 0) break;
    await store.settle(rest.map((claim) => settlement(claim, { state: "succeeded" })));
  }
}
