import assert from "node:assert/strict";
import { test } from "node:test";
import { FRESH_TASK } from "../../fresh-task.ts";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, ids, newTask, settle, taskOf } from "./tasks.ts";

/** Enqueueing, and the order in which tasks are claimed. */
export function claiming(current: Current): void {
  test("an enqueued task is stored whole and waits", async () => {
    const { store, clock } = current();
    const payload = { text: "zwölf\u0000\ud800", list: [1, null, true, 1.5], nested: { a: "" } };
    const now = clock.wall();
    await store.enqueue([newTask("t", { payload, flow: "g", priority: 3, delayMs: 500 })]);
    assert.deepEqual(await taskOf(store), {
      id: "t",
      queue: "q",
      name: "work",
      flow: "g",
      payload,
      priority: 3,
      ...FRESH_TASK,
      due: now + 500,
      createdAt: now,
      expiresAt: null,
      unique: null,
      bucket: null,
      childOf: null,
      meta: null,
    });
  });

  test("enqueueing an id again changes nothing, whatever became of the task", async () => {
    const { store } = current();
    assert.deepEqual(await store.enqueue([newTask("a"), newTask("b"), newTask("a")]), ["a", "b"]);
    assert.deepEqual(await store.enqueue([newTask("b", { payload: "other" }), newTask("c")]), ["c"]);
    const first = await claimOne(store);
    await settle(store, first, { state: "succeeded", value: 1 });
    assert.deepEqual(await store.enqueue([newTask("a")]), []);
    assert.equal((await taskOf(store, "a")).state, "succeeded");
    assert.deepEqual((await taskOf(store, "b")).payload, { id: "b" });
  });

  test("a batch that cannot be stored as a whole is not stored at all", async () => {
    const { store } = current();
    const broken = newTask("b", { delayMs: Number.NaN });
    await assert.rejects(store.enqueue([newTask("a"), broken]), { code: "store.unstorable" });
    assert.deepEqual(await store.query({ queue: "q" }), []);
  });

  test("tasks are claimed by priority, then by due time, then in order of enqueueing", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("late", { delayMs: 50 }), newTask("low", { priority: -1 })]);
    clock.advance(10);
    await store.enqueue([newTask("z"), newTask("a"), newTask("high", { priority: 9, delayMs: 60 })]);
    await store.enqueue([newTask("other", { queue: "r", priority: 1 })]);
    clock.advance(100);
    const request = { queues: ["q", "r", "none", "q"], leaseMs: 1_000, worker: "w" };
    assert.deepEqual(ids(await store.claim({ ...request, n: 4 })), ["high", "other", "z", "a"]);
    assert.deepEqual(ids(await store.claim({ ...request, n: 9 })), ["late", "low"]);
    assert.deepEqual(ids(await store.claim({ ...request, n: 9 })), []);
  });

  test("a delayed task of high priority does not stand in the way of a due one of low priority", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("high", { priority: 9, delayMs: 100 }), newTask("low")]);
    assert.deepEqual(ids(await claimOf(store, 5)), ["low"]);
    clock.advance(99);
    assert.deepEqual(await claimOf(store, 5), []);
    clock.advance(1);
    assert.deepEqual(ids(await claimOf(store, 5)), ["high"]);
  });

  test("only the given queues are claimed from, and no more than asked for", async () => {
    const { store } = current();
    await store.enqueue(["a", "b", "c"].map((id) => newTask(id)));
    await store.enqueue([newTask("r", { queue: "r" })]);
    assert.deepEqual(ids(await claimOf(store, 2)), ["a", "b"]);
    assert.deepEqual(await claimOf(store, 0), []);
    assert.deepEqual(await store.claim({ queues: [], n: 5, leaseMs: 1, worker: "w" }), []);
    assert.deepEqual(ids(await claimOf(store, 5)), ["c"]);
  });
}
