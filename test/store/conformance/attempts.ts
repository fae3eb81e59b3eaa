import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskResult } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, newTask, taskOf } from "./tasks.ts";

/** What is kept of each try. */
export function attempts(current: Current): void {
  test("each attempt that is over is kept with its times, worker, result, error and log", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t")]);
    const began = clock.wall();
    const results: TaskResult[] = [
      { state: "retry", delayMs: 0, error: "no luck" },
      { state: "snoozed", delayMs: 0 },
      { state: "crashed", delayMs: 0, error: "killed", poisonAfter: 9 },
      { state: "succeeded" },
    ];
    for (const [n, result] of results.entries()) {
      const [claim] = await claimOf(store, 1, `w${n}`);
      assert.ok(claim);
      clock.advance(10);
      assert.equal((await store.attempts("t")).length, n, "one that runs is not over");
      const log = n === 0 ? { log: "first line\nsecond" } : {};
      await store.settle([{ id: "t", fence: claim.fence, result, ...log }]);
    }
    assert.deepEqual(
      await store.attempts("t"),
      results.map(({ state }, n) => ({
        fence: n + 1,
        worker: `w${n}`,
        startedAt: began + n * 10,
        endedAt: began + n * 10 + 10,
        result: state,
        error: n === 0 ? "no luck" : n === 2 ? "killed" : null,
        log: n === 0 ? "first line\nsecond" : null,
      })),
    );
  });

  test("a task that succeeds at once has one attempt, with a log or without", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("a"), newTask("b")]);
    const [a, b] = await claimOf(store, 2, "w");
    assert.ok(a && b);
    const startedAt = clock.wall();
    clock.advance(5);
    await store.settle([
      { id: "a", fence: 1, result: { state: "succeeded" } },
      { id: "b", fence: 1, result: { state: "succeeded" }, log: "hello" },
    ]);
    const attempt = {
      fence: 1,
      worker: "w",
      startedAt,
      endedAt: clock.wall(),
      result: "succeeded",
      error: null,
    };
    assert.deepEqual(await store.attempts("a"), [{ ...attempt, log: null }]);
    assert.deepEqual(await store.attempts("b"), [{ ...attempt, log: "hello" }]);
    assert.deepEqual(await store.attempts("nobody"), []);
  });

  test("an attempt whose worker died counts as crashed, ended when it was taken back", async () => {
    const { store, clock } = current();
    await claimed(store, "t", "dead");
    clock.advance(30);
    await store.sweep({ deadWorkers: ["dead"], poisonAfter: 5 });
    const [attempt] = await store.attempts("t");
    assert.deepEqual(
      [attempt?.worker, attempt?.result, attempt?.error, attempt?.endedAt],
      ["dead", "crashed", null, clock.wall()],
    );
  });

  test("a task knows when it was last claimed", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t")]);
    assert.equal((await taskOf(store)).startedAt, null);
    clock.advance(5);
    const [claim] = await claimOf(store);
    assert.equal(claim?.task.startedAt, clock.wall());
    assert.equal((await taskOf(store)).startedAt, clock.wall());
  });

  test("of very many attempts the latest hundred are kept", async () => {
    const { store } = current();
    await store.enqueue([newTask("t")]);
    for (let n = 1; n <= 103; n++) {
      const [claim] = await claimOf(store);
      assert.equal(claim?.fence, n);
      await store.settle([{ id: "t", fence: n, result: { state: "snoozed", delayMs: 0 } }]);
    }
    assert.deepEqual(
      (await store.attempts("t")).map(({ fence }) => fence),
      Array.from({ length: 100 }, (_, n) => n + 4),
    );
  });

  test("a crash of what a task ran in counts like one of its worker", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("t"), newTask("stopped")]);
    const crash = { state: "crashed", delayMs: 100, error: "SIGKILL", poisonAfter: 2 } as const;
    const [t, stopped] = await claimOf(store, 2);
    assert.ok(t && stopped);
    await store.requestCancel({ ids: ["stopped"] });
    await store.settle([
      { ...t, result: crash },
      { ...stopped, result: crash },
    ]);
    assert.equal((await taskOf(store, "stopped")).state, "cancelled");
    const { state, crashes, failures, error, due } = await taskOf(store);
    assert.deepEqual([state, crashes, failures, error, due], ["waiting", 1, 0, null, clock.wall() + 100]);
    clock.advance(100);
    const [again] = await claimOf(store, 2);
    assert.ok(again);
    await store.settle([{ id: "t", fence: again.fence, result: crash }]);
    const poisoned = await taskOf(store);
    assert.deepEqual([poisoned.state, poisoned.crashes, poisoned.failures], ["dead", 2, 0]);
    assert.match(poisoned.error ?? "", /^Poisoned.*2 times/);
  });
}
