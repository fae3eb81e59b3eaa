import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSqliteStore } from "../../../src/store/sqlite/open.ts";
import { machineClocks } from "../conformance/machine-clocks.ts";
import { newTask } from "../conformance/tasks.ts";
import { storeConformance } from "../conformance.ts";
import { openTemporary } from "./open-temporary.ts";

storeConformance("SQLite", openTemporary, machineClocks);

test("a bucket gives no more than its rate, however long the machine takes between two looks at the clock", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-store-"));
  let now = 1_000_000;
  // Other processes have their turn between any two lines of ours.
  const clock = { wall: () => now, monotonic: () => (now += 5), boot: "boot" };
  await using store = await openSqliteStore(join(folder, "state.db"), { clock });
  const bucket = { bucket: "slow", intervalMs: 100, burst: 3 };
  await store.enqueue(Array.from({ length: 20 }, (_, n) => newTask(`t${n}`, { bucket: bucket.bucket })));
  const began: number[] = [];
  while (began.length < 20) {
    now += 5;
    const before = now;
    const claims = await store.claim({
      queues: ["q"],
      leaseMs: 60_000,
      worker: "w",
      buckets: [bucket],
      n: 20,
    });
    for (const _ of claims) began.push(before);
  }
  const least = (20 - bucket.burst) * bucket.intervalMs;
  const took = (began.at(-1) as number) - (began[0] as number);
  assert.ok(took >= least - 50, `20 in ${took} ms`);
  await rm(folder, { recursive: true });
});
