import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueueRecord, Store, TaskState } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, ids, newTask, settle, settlement } from "./tasks.ts";

async function queueOf(store: Store, name = "q"): Promise<QueueRecord | undefined> {
  return (await store.queues()).find((queue) => queue.name === name);
}

/** What the counters say, and what a count over the tasks says. */
async function counts(
  store: Store,
): Promise<[Record<TaskState, number> | undefined, Record<TaskState, number>]> {
  const counted = { waiting: 0, leased: 0, succeeded: 0, dead: 0, cancelled: 0 };
  for (const { state } of await store.query({ queue: "q" })) counted[state]++;
  return [(await queueOf(store))?.counts, counted];
}

/** Queues: their counters, and pausing them. */
export function queues(current: Current): void {
  test("a queue counts its tasks in each state, whatever brings them there", async () => {
    const { store, clock } = current();
    assert.deepEqual(await store.queues(), []);
    await store.enqueue([
      ...Array.from({ length: 12 }, (_, n) => newTask(`t${n}`)),
      newTask("later", { delayMs: 5_000 }),
      newTask("held", { held: true }),
      newTask("gone", { expiresMs: 10, held: true }),
      newTask("other", { queue: "p" }),
    ]);
    await store.enqueue(
      [newTask("t0"), newTask("child", { childOf: { group: "j", index: 0 }, delayMs: 9_000 })],
      {
        groups: [{ id: "j", children: 1, need: "all", callback: "held" }],
      },
    );
    const same = async (what: string) => {
      const [kept, counted] = await counts(store);
      assert.deepEqual(kept, counted, what);
    };
    await same("enqueued");
    const claims = await claimOf(store, 9, "w", 100);
    await same("claimed");
    const next = [newTask("next"), newTask("t3")];
    const results = [
      { state: "succeeded" },
      { state: "succeeded", next },
      { state: "retry", delayMs: 10, error: "e" },
      { state: "dead", error: "e" },
      { state: "cancelled" },
      { state: "snoozed", delayMs: null },
      { state: "crashed", delayMs: 5, error: "e", poisonAfter: 1 },
    ] as const;
    await store.settle(results.map((result, n) => settlement(claims[n] ?? { id: "", fence: 0 }, result)));
    await settle(store, { id: "t0", fence: 1 }, { state: "dead", error: "late" });
    await same("settled");
    clock.advance(100);
    await store.sweep({ poisonAfter: 5 });
    await same("swept");
    await store.requestCancel({ ids: ["next", "later", "t0", "child"] });
    await same("cancelled, with a group that fails");
    await store.makeClaimable({ queue: "q", states: ["dead", "cancelled"] });
    await same("released, with a group that is open again");
    assert.deepEqual(
      (await store.queues()).map(({ name }) => name),
      ["p", "q"],
    );
    assert.deepEqual((await queueOf(store, "p"))?.counts.waiting, 1);
  });

  test("counters are kept over openings, and settled tasks stay counted when they are cleaned up", async () => {
    const { store, reopen, clock } = current();
    await store.enqueue(["a", "b"].map((id) => newTask(id, { retentionMs: 10 })));
    const a = await claimOne(store);
    await settle(store, a, { state: "succeeded" });
    clock.advance(10);
    assert.equal(await store.prune(9), 1);
    const expected = { waiting: 1, leased: 0, succeeded: 1, dead: 0, cancelled: 0 };
    assert.deepEqual((await queueOf(await reopen()))?.counts, expected);
  });

  test("nothing is claimed from a paused queue until it is resumed; what runs goes on", async () => {
    const { store } = current();
    await store.enqueue([
      newTask("a"),
      newTask("b"),
      newTask("slow", { bucket: "l" }),
      newTask("r", { queue: "r" }),
    ]);
    const buckets = [{ bucket: "l", intervalMs: 1, burst: 9 }];
    const a = await claimOne(store);
    await store.pauseQueue("q", true);
    assert.equal((await queueOf(store))?.paused, true);
    assert.deepEqual(await store.claim({ queues: ["q"], n: 9, leaseMs: 500, worker: "w", buckets }), []);
    assert.equal(await store.claimableInMs(["q"], buckets), 1_000, "only the lease of what runs");
    assert.deepEqual(
      ids(await store.claim({ queues: ["q", "r"], n: 9, leaseMs: 5_000, worker: "w", buckets })),
      ["r"],
    );
    assert.deepEqual(await store.renew([a], 1_000), { lost: [], cancelRequested: [] });
    assert.deepEqual(await settle(store, a, { state: "succeeded" }), { lost: [] });
    await store.enqueue([newTask("c")]);
    assert.equal(await store.claimableInMs(["q"]), null);
    await store.pauseQueue("q", false);
    assert.equal((await queueOf(store))?.paused, false);
    assert.equal(await store.claimableInMs(["q"]), 0);
    assert.deepEqual(ids(await claimOf(store, 9)), ["b", "c"]);
  });

  test("a queue without tasks can be paused and is then one of the queues", async () => {
    const { store } = current();
    await store.pauseQueue("new", true);
    assert.deepEqual(await store.queues(), [
      {
        name: "new",
        paused: true,
        counts: { waiting: 0, leased: 0, succeeded: 0, dead: 0, cancelled: 0 },
        oldestDue: null,
      },
    ]);
    await store.enqueue([newTask("t", { queue: "new" })]);
    assert.deepEqual(await store.claim({ queues: ["new"], n: 1, leaseMs: 1, worker: "w" }), []);
  });

  test("a queue says since when its first task could have been claimed", async () => {
    const { store, clock } = current();
    const due = async () => (await queueOf(store))?.oldestDue;
    const began = clock.wall();
    await store.enqueue([newTask("held", { held: true }), newTask("later", { delayMs: 100 })]);
    assert.equal(await due(), null);
    clock.advance(100);
    assert.equal(await due(), began + 100);
    await store.enqueue([newTask("high", { priority: 9 }), newTask("slow", { bucket: "l" })]);
    clock.advance(100);
    assert.equal(await due(), began + 100);
    await claimOf(store, 9);
    assert.equal(await due(), began + 100, "of a bucket too");
    await store.requestCancel({ ids: ["slow"] });
    assert.equal(await due(), null);
  });
}
