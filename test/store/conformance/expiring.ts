import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimOf, ids, newTask, settlement, taskOf } from "./tasks.ts";

/** Tasks that are no longer worth doing after some time. */
export function expiring(current: Current): void {
  test("a task that was not begun in time is cancelled as expired, by a sweep, and not before", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t", { expiresMs: 100 }), newTask("held", { expiresMs: 100, held: true })]);
    assert.equal((await taskOf(store)).expiresAt, clock.wall() + 100);
    clock.advance(99);
    assert.deepEqual(await store.sweep({ poisonAfter: 5 }), { expired: [], poisoned: [] });
    assert.equal((await taskOf(store)).state, "waiting");
    clock.advance(1);
    assert.deepEqual(await store.sweep({ poisonAfter: 5 }), { expired: [], poisoned: [] });
    for (const id of ["t", "held"]) {
      const { state, error, crashes, settledAt, due, cancelRequested } = await taskOf(store, id);
      assert.deepEqual(
        [state, error, crashes, settledAt, due, cancelRequested],
        ["cancelled", "expired", 0, clock.wall(), null, false],
      );
    }
  });

  test("a claim gives out nothing that has expired, swept or not, and as many others as asked for", async () => {
    const { store, clock } = current();
    await store.enqueue([
      ...["a", "b", "c"].map((id) => newTask(id, { expiresMs: 50, priority: 1 })),
      newTask("longer", { expiresMs: 51 }),
      newTask("ever"),
      newTask("more"),
    ]);
    clock.advance(50);
    assert.deepEqual(ids(await claimOf(store, 2)), ["longer", "ever"]);
    assert.deepEqual(ids(await claimOf(store, 2)), ["more"]);
    assert.deepEqual(await claimOf(store, 2), []);
  });

  test("a task that was begun does not expire, though it failed, was handed back or was taken back", async () => {
    const { store, clock } = current();
    await store.enqueue(["a", "b", "c"].map((id) => newTask(id, { expiresMs: 50 })));
    const [a, b, c] = await claimOf(store, 3);
    assert.ok(a && b && c);
    clock.advance(50);
    await store.settle([
      settlement(a, { state: "retry", delayMs: 0, error: "again" }),
      settlement(b, { state: "snoozed", delayMs: 0 }),
    ]);
    clock.advance(1_000);
    assert.deepEqual(await store.sweep({ poisonAfter: 5 }), { expired: ["c"], poisoned: [] });
    assert.deepEqual(ids(await claimOf(store, 9)).sort(), ["a", "b", "c"]);
  });

  test("an expired task that is released may wait as long as it likes", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t", { expiresMs: 50 }), newTask("soon", { expiresMs: 900 })]);
    clock.advance(50);
    await store.sweep({ poisonAfter: 5 });
    assert.equal(await store.makeClaimable({ ids: ["t", "soon"] }), 2);
    const { state, error, expiresAt } = await taskOf(store);
    assert.deepEqual([state, error, expiresAt], ["waiting", null, null]);
    assert.equal((await taskOf(store, "soon")).expiresAt, clock.wall() + 850, "an expiry to come stays");
    clock.advance(1_000);
    await store.sweep({ poisonAfter: 5 });
    assert.deepEqual(ids(await claimOf(store, 9)), ["t"]);
  });
}
