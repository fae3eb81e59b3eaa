import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, claimOne, ids, newTask, settle, settlement, taskOf } from "./tasks.ts";

/** Taking back what no worker works on any more. */
export function sweeping(current: Current): void {
  test("a lease that ran out goes back in line and counts a crash, not a failure", async () => {
    const { store, clock } = current();
    await claimed(store);
    clock.advance(999);
    assert.deepEqual(await store.sweep({ poisonAfter: 5 }), { expired: [], poisoned: [] });
    clock.advance(1);
    assert.deepEqual(await store.sweep({ poisonAfter: 5 }), { expired: ["t"], poisoned: [] });
    const [again] = await claimOf(store, 1, "w2");
    assert.deepEqual([again?.fence, again?.task.crashes, again?.task.failures], [2, 1, 0]);
  });

  test("of many that were claimed together, exactly those that are still leased are taken back", async () => {
    const { store, clock } = current();
    await store.enqueue(Array.from({ length: 60 }, (_, n) => newTask(`t${n}`)));
    const claims = await claimOf(store, 60);
    const outcomes = [
      { state: "succeeded" },
      { state: "dead", error: "broken" },
      { state: "retry", delayMs: 0, error: "again" },
    ] as const;
    const rest = claims.slice(50);
    for (let at = 0; at < 50; at += 10) {
      const part = claims.slice(at, at + 10);
      await store.settle(
        part.map((claim, n) => settlement(claim, outcomes[n % 3] ?? { state: "cancelled" })),
      );
    }
    // Those that failed are claimed again, and their new leases last longer.
    const again = await claimOf(store, 99, "w2", 5_000);
    assert.equal(again.length, 15);
    await store.renew(rest.slice(0, 3), 3_000);
    assert.equal(await store.claimableInMs(["q"]), 1_000);
    clock.advance(1_000);
    assert.equal(await store.claimableInMs(["q"]), 0);
    const first = await store.sweep({ poisonAfter: 1 });
    assert.deepEqual(first.expired.toSorted(), ids(rest.slice(3)).toSorted());
    assert.equal(await store.claimableInMs(["q"]), 2_000);
    clock.advance(2_000);
    assert.deepEqual(
      (await store.sweep({ poisonAfter: 1 })).expired.toSorted(),
      ids(rest.slice(0, 3)).toSorted(),
    );
    assert.equal(await store.claimableInMs(["q"]), 2_000);
    await store.settle(again.map((claim) => settlement(claim, { state: "succeeded" })));
    assert.equal(await store.claimableInMs(["q"]), null);
    clock.advance(1e6);
    assert.deepEqual((await store.sweep({ poisonAfter: 1 })).expired, []);
  });

  test("the leases of dead workers are taken back at once, those of others are not", async () => {
    const { store } = current();
    await claimed(store, "a", "dead");
    await claimed(store, "b", "alive");
    assert.deepEqual((await store.sweep({ deadWorkers: ["dead", "gone"], poisonAfter: 5 })).expired, ["a"]);
    assert.deepEqual((await store.sweep({ deadWorkers: ["dead"], poisonAfter: 5 })).expired, []);
    assert.equal((await taskOf(store, "b")).state, "leased");
  });

  test("a task that keeps taking its worker down is poison and dies", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t")]);
    for (const crash of [1, 2, 3]) {
      assert.deepEqual(ids(await claimOf(store)), ["t"]);
      clock.advance(1_000);
      const { expired, poisoned } = await store.sweep({ poisonAfter: 3 });
      assert.deepEqual([expired, poisoned], [["t"], crash === 3 ? ["t"] : []]);
    }
    const task = await taskOf(store);
    assert.deepEqual([task.state, task.crashes, task.failures, task.due], ["dead", 3, 0, null]);
    assert.match(task.error ?? "", /3 times/);
    assert.equal(task.settledAt, clock.wall());
  });

  test("progress forgives earlier crashes", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t")]);
    for (let crash = 1; crash <= 4; crash++) {
      const claim = await claimOne(store);
      assert.equal(claim.task.progress, crash === 1 ? null : crash - 1);
      assert.deepEqual(await store.progress([{ id: "t", fence: claim.fence, value: crash }]), { lost: [] });
      clock.advance(1_000);
      assert.deepEqual((await store.sweep({ poisonAfter: 2 })).poisoned, []);
    }
    assert.equal((await taskOf(store)).crashes, 1);
  });

  test("the next moment worth looking is when a task is due or a lease runs out", async () => {
    const { store, clock } = current();
    assert.equal(await store.claimableInMs(["q"]), null);
    await store.enqueue([
      newTask("later", { delayMs: 5_000 }),
      newTask("sooner", { delayMs: 3_000, priority: -1 }),
    ]);
    await store.enqueue([newTask("other", { queue: "r" })]);
    assert.equal(await store.claimableInMs(["q"]), 3_000);
    assert.equal(await store.claimableInMs(["q", "r"]), 0);
    assert.equal(await store.claimableInMs([]), null);
    clock.advance(3_500);
    assert.equal(await store.claimableInMs(["q"]), 0);
    const [claim] = await claimOf(store);
    assert.equal(claim?.id, "sooner");
    assert.equal(await store.claimableInMs(["q"]), 1_000);
    await settle(store, claim, { state: "succeeded" });
    assert.equal(await store.claimableInMs(["q"]), 1_500);
  });
}
