import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimOf, ids, newTask, settlement, taskOf } from "./tasks.ts";

/** Tasks of which there is one at a time. */
export function uniqueness(current: Current): void {
  test("while a task with a unique key is waiting or leased, no other is stored", async () => {
    const { store } = current();
    const one = (id: string) => newTask(id, { unique: "k" });
    assert.deepEqual(await store.enqueue([one("a"), one("b"), newTask("c", { unique: "l" })]), ["a", "c"]);
    assert.equal((await taskOf(store, "a")).unique, "k");
    assert.deepEqual(await store.query({ ids: ["b"] }), []);
    const [claim] = await claimOf(store);
    assert.ok(claim);
    assert.deepEqual(await store.enqueue([one("b")]), []);
    await store.settle([settlement(claim, { state: "retry", delayMs: 1_000, error: "later" })]);
    assert.deepEqual(await store.enqueue([one("b")]), []);
  });

  test("a unique key is free again when its task has ended, whichever way", async () => {
    const { store, clock } = current();
    for (const [n, outcome] of (
      [
        { state: "succeeded" },
        { state: "dead", error: "broken" },
        { state: "cancelled" },
        { state: "succeeded", next: [newTask("next", { unique: "k", held: true })] },
      ] as const
    ).entries()) {
      assert.deepEqual(await store.enqueue([newTask(`t${n}`, { unique: "k" })]), [`t${n}`]);
      const [claim] = await claimOf(store);
      assert.ok(claim);
      await store.settle([settlement(claim, outcome)]);
    }
    assert.equal((await taskOf(store, "next")).unique, "k", "a task may be followed by one with its key");
    await store.requestCancel({ ids: ["next"] });
    assert.deepEqual(await store.enqueue([newTask("x", { unique: "k", expiresMs: 5 })]), ["x"]);
    clock.advance(5);
    await store.sweep({ poisonAfter: 5 });
    assert.deepEqual(await store.enqueue([newTask("y", { unique: "k" })]), ["y"]);
  });

  test("who holds a unique key is found by it, and only while it does", async () => {
    const { store } = current();
    await store.enqueue([newTask("a", { unique: "k" }), newTask("b", { unique: "l" })]);
    assert.deepEqual(ids(await store.query({ unique: "k" })), ["a"]);
    const [claim] = await claimOf(store);
    assert.ok(claim);
    assert.deepEqual(ids(await store.query({ unique: "k" })), ["a"]);
    await store.settle([settlement(claim, { state: "succeeded" })]);
    assert.deepEqual(await store.query({ unique: "k" }), []);
  });

  test("a task whose unique key was taken meanwhile is not released", async () => {
    const { store } = current();
    for (const id of ["a", "b"]) {
      await store.enqueue([newTask(id, { unique: "k" })]);
      await store.requestCancel({ ids: [id] });
    }
    assert.equal(await store.release({ queue: "q" }), 1, "in order of enqueueing the first gets it");
    assert.deepEqual(ids(await claimOf(store, 9)), ["a"]);
    assert.equal(await store.release({ ids: ["b"] }), 0);
    assert.equal((await taskOf(store, "b")).state, "cancelled");
  });
}
