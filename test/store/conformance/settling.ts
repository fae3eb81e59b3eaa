import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, claimOne, ids, newTask, settle, settlement, taskOf } from "./tasks.ts";

/** What becomes of a task. */
export function settling(current: Current): void {
  test("success keeps the result and ends the task", async () => {
    const { store, clock } = current();
    const lease = await claimed(store);
    clock.advance(7);
    await settle(store, lease, { state: "succeeded", value: { rows: 3 } });
    const task = await taskOf(store);
    assert.deepEqual([task.state, task.result, task.settledAt], ["succeeded", { rows: 3 }, clock.wall()]);
    assert.equal(await store.makeClaimable({ queue: "q" }), 0);
    assert.deepEqual(await claimOf(store), []);
  });

  test("a retry counts a failure and waits for its delay", async () => {
    const { store, clock } = current();
    const lease = await claimed(store);
    await settle(store, lease, { state: "retry", delayMs: 200, error: "no luck" });
    assert.deepEqual(await claimOf(store), []);
    clock.advance(200);
    const [again] = await claimOf(store);
    assert.deepEqual([again?.task.failures, again?.task.crashes, again?.task.error], [1, 0, "no luck"]);
    assert.ok(again);
    await settle(store, again, { state: "dead", error: "given up" });
    const task = await taskOf(store);
    assert.deepEqual([task.state, task.failures, task.error, task.due], ["dead", 2, "given up", null]);
    assert.equal(task.settledAt, clock.wall());
  });

  test("a snoozed task comes back without blame, a held one only when it is released", async () => {
    const { store, clock } = current();
    const lease = await claimed(store);
    await settle(store, lease, { state: "snoozed", delayMs: 100 });
    clock.advance(100);
    const again = await claimOne(store);
    await settle(store, again, { state: "snoozed", delayMs: null });
    clock.advance(1e9);
    assert.deepEqual(await claimOf(store), []);
    assert.equal(await store.claimableInMs(["q"]), null);
    const held = await taskOf(store);
    assert.deepEqual([held.state, held.due, held.failures], ["waiting", null, 0]);
    assert.equal(await store.makeClaimable({ ids: ["t"] }), 1);
    assert.deepEqual(ids(await claimOf(store)), ["t"]);
  });

  test("a release forgets failures, crashes and cancel requests, and keeps progress and fence", async () => {
    const { store, clock } = current();
    const lease = await claimed(store);
    await store.progress([{ ...lease, value: { cursor: 5 } }]);
    clock.advance(1_000);
    await store.sweep({ poisonAfter: 1 });
    assert.equal((await taskOf(store)).state, "dead");
    await store.enqueue([newTask("cancelled"), newTask("delayed", { delayMs: 1e6 })]);
    await store.requestCancel({ ids: ["cancelled"] });
    assert.equal(await store.makeClaimable({ queue: "q" }), 3);
    const task = await taskOf(store);
    assert.deepEqual(
      [task.state, task.failures, task.crashes, task.error, task.settledAt, task.progress, task.fence],
      ["waiting", 0, 0, null, null, { cursor: 5 }, 1],
    );
    assert.equal((await taskOf(store, "cancelled")).cancelRequested, false);
    const claims = await claimOf(store, 5);
    assert.deepEqual(ids(claims), ["t", "cancelled", "delayed"]);
    assert.equal(claims[0]?.fence, 2);
    assert.equal(await store.makeClaimable({ queue: "q" }), 0);
  });

  test("a task that was asked to stop is cancelled when it is handed back, whichever way", async () => {
    const { store, clock } = current();
    const leases = [
      await claimed(store, "retry"),
      await claimed(store, "snoozed"),
      await claimed(store, "crashed"),
    ];
    await store.requestCancel({ queue: "q" });
    await store.settle([
      { ...leases[0], id: "retry", fence: 1, result: { state: "retry", delayMs: 0, error: "broke off" } },
      { ...leases[1], id: "snoozed", fence: 1, result: { state: "snoozed", delayMs: null } },
    ]);
    clock.advance(1_000);
    assert.deepEqual(await store.sweep({ poisonAfter: 1 }), { expired: ["crashed"], poisoned: [] });
    for (const task of await store.query({ queue: "q" })) {
      assert.deepEqual([task.id, task.state, task.settledAt !== null], [task.id, "cancelled", true]);
    }
    assert.deepEqual(await claimOf(store), []);
  });

  test("a task that was asked to stop may still succeed or die", async () => {
    const { store } = current();
    const [a, b] = [await claimed(store, "a"), await claimed(store, "b")];
    await store.requestCancel({ queue: "q" });
    await store.settle([
      settlement(a, { state: "succeeded", value: 1 }),
      settlement(b, { state: "dead", error: "broken" }),
    ]);
    assert.deepEqual(
      (await store.query({ queue: "q" })).map((task) => task.state),
      ["succeeded", "dead"],
    );
  });

  test("what was settled is there for the next process that opens the store", async () => {
    const { store, reopen } = current();
    const lease = await claimed(store);
    await settle(store, lease, { state: "succeeded", value: [1, 2] });
    const other = await reopen();
    assert.deepEqual(await taskOf(other), await taskOf(store));
  });
}
