import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, newTask, settle, settlement, taskOf } from "./tasks.ts";

/** What a claim permits, and when it no longer does. */
export function leases(current: Current): void {
  test("a claim names its worker and counts the fence up", async () => {
    const { store } = current();
    const first = await claimed(store);
    const task = await taskOf(store);
    assert.equal(first.fence, 1);
    assert.deepEqual([task.state, task.fence, task.worker, task.due], ["leased", 1, "w1", null]);
    await settle(store, first, { state: "snoozed", delayMs: 0 });
    const [second] = await claimOf(store, 1, "w2");
    assert.equal(second?.fence, 2);
    assert.deepEqual(second?.task, await taskOf(store));
    assert.equal(second?.task.worker, "w2");
  });

  test("a renewed lease outlives its first end", async () => {
    const { store, clock } = current();
    const lease = await claimed(store);
    clock.advance(900);
    assert.deepEqual(await store.renew([lease], 1_000), { lost: [], cancelRequested: [] });
    clock.advance(900);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, []);
    clock.advance(100);
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, ["t"]);
  });

  test("a worker that lost the lease changes nothing any more and is told so", async () => {
    const { store, clock } = current();
    const late = await claimed(store);
    clock.advance(1_000);
    await store.sweep({ poisonAfter: 5 });
    const bounce = async () => {
      const before = await taskOf(store);
      assert.deepEqual(await store.renew([late], 9_000), { lost: ["t"], cancelRequested: [] });
      assert.deepEqual(await store.progress([{ ...late, value: "late" }]), { lost: ["t"] });
      for (const result of [
        { state: "succeeded", value: "late" },
        { state: "retry", delayMs: 0, error: "late" },
        { state: "dead", error: "late" },
        { state: "cancelled" },
        { state: "snoozed", delayMs: null },
      ] as const) {
        assert.deepEqual(await settle(store, late, result), { lost: ["t"] });
      }
      assert.deepEqual(await taskOf(store), before);
    };
    await bounce();
    const [next] = await claimOf(store, 1, "w2");
    assert.ok(next);
    await bounce();
    await settle(store, next, { state: "succeeded", value: "first" });
    await bounce();
  });

  test("a lease that ran out is still held until it is taken back", async () => {
    const { store, clock } = current();
    const lease = await claimed(store);
    clock.advance(5_000);
    assert.deepEqual(await claimOf(store), []);
    assert.deepEqual(await store.progress([{ ...lease, value: 1 }]), { lost: [] });
    assert.deepEqual(await store.renew([lease], 1_000), { lost: [], cancelRequested: [] });
    assert.deepEqual((await store.sweep({ poisonAfter: 5 })).expired, []);
  });

  test("a batch settles the claims that are held and names the others", async () => {
    const { store } = current();
    const [a, b] = [await claimed(store, "a"), await claimed(store, "b")];
    const stale = { id: "a", fence: a.fence + 1 };
    const unknown = { id: "nobody", fence: 1 };
    const succeeded = { state: "succeeded" } as const;
    const batch = [stale, b, unknown].map((lease) => settlement(lease, succeeded));
    assert.deepEqual(await store.settle(batch), { lost: ["a", "nobody"] });
    assert.deepEqual(await store.renew([a, b, unknown], 1_000), {
      lost: ["b", "nobody"],
      cancelRequested: [],
    });
    assert.equal((await taskOf(store, "b")).state, "succeeded");
  });

  test("the renewal tells the holder that it was asked to stop", async () => {
    const { store } = current();
    const lease = await claimed(store);
    await store.enqueue([newTask("waits")]);
    assert.equal(await store.requestCancel({ queue: "q" }), 2);
    assert.deepEqual(await store.renew([lease], 1_000), { lost: [], cancelRequested: ["t"] });
    assert.deepEqual([(await taskOf(store)).state, (await taskOf(store)).cancelRequested], ["leased", true]);
    assert.equal((await taskOf(store, "waits")).state, "cancelled");
    assert.notEqual((await taskOf(store, "waits")).settledAt, null);
    assert.equal(await store.requestCancel({ ids: ["waits"] }), 0);
  });
}
