import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, ids, newTask, settle, taskOf } from "./tasks.ts";

/** Tasks of which there is one at a time. */
export function uniqueness(current: Current): void {
  test("of many tasks at once, those whose ids are taken are left out and the others keep their order", async () => {
    const { store } = current();
    const id = (n: number) => `t${String(n).padStart(2, "0")}`;
    await store.enqueue([newTask(id(7)), newTask(id(31), { queue: "other" })]);
    await store.recordChanges(60_000);
    const { last } = await store.changes(null, 0);
    const many = Array.from({ length: 50 }, (_, n) => newTask(id(n), { retentionMs: 1_000 }));
    const fresh = ids(many).filter((each) => each !== id(7) && each !== id(31));
    // One comes twice, and one is of another kind.
    const batch = [...many.slice(0, 20), newTask(id(3)), newTask("odd", { priority: 1 }), ...many.slice(20)];
    const expected = [...fresh.slice(0, 19), "odd", ...fresh.slice(19)];
    assert.deepEqual(await store.enqueue(batch), expected);
    const { changes } = await store.changes(last, 99);
    assert.deepEqual(
      changes.map(({ task, state }) => [task, state]),
      expected.map((each) => [each, "waiting"]),
    );
    const more = Array.from({ length: 30 }, (_, n) => newTask(`u${n}`));
    assert.deepEqual(await store.enqueue(more), ids(more), "others are stored as ever after that");
    assert.deepEqual(await store.enqueue(more), []);
    const counts = (await store.queues()).find(({ name }) => name === "q")?.counts;
    assert.equal(counts?.waiting, 1 + 49 + 30);
    assert.deepEqual(ids(await claimOf(store, 99)), ["odd", id(7), ...fresh, ...ids(more)]);
    const all = await store.query({ queue: "q" });
    assert.deepEqual(
      all.map(({ payload }) => payload),
      all.map((task) => ({ id: task.id })),
    );
  });

  test("while a task with a unique key is waiting or leased, no other is stored", async () => {
    const { store } = current();
    const one = (id: string) => newTask(id, { unique: "k" });
    assert.deepEqual(await store.enqueue([one("a"), one("b"), newTask("c", { unique: "l" })]), ["a", "c"]);
    assert.equal((await taskOf(store, "a")).unique, "k");
    assert.deepEqual(await store.query({ ids: ["b"] }), []);
    const claim = await claimOne(store);
    assert.deepEqual(await store.enqueue([one("b")]), []);
    await settle(store, claim, { state: "retry", delayMs: 1_000, error: "later" });
    assert.deepEqual(await store.enqueue([one("b")]), []);
  });

  test("a unique key is free again when its task has ended, whichever way", async () => {
    const { store, clock } = current();
    for (const [n, result] of (
      [
        { state: "succeeded" },
        { state: "dead", error: "broken" },
        { state: "cancelled" },
        { state: "succeeded", next: [newTask("next", { unique: "k", held: true })] },
      ] as const
    ).entries()) {
      assert.deepEqual(await store.enqueue([newTask(`t${n}`, { unique: "k" })]), [`t${n}`]);
      const claim = await claimOne(store);
      await settle(store, claim, result);
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
    const claim = await claimOne(store);
    assert.deepEqual(ids(await store.query({ unique: "k" })), ["a"]);
    await settle(store, claim, { state: "succeeded" });
    assert.deepEqual(await store.query({ unique: "k" }), []);
  });

  test("a task whose unique key was taken meanwhile is not released", async () => {
    const { store } = current();
    for (const id of ["a", "b"]) {
      await store.enqueue([newTask(id, { unique: "k" })]);
      await store.requestCancel({ ids: [id] });
    }
    assert.equal(await store.makeClaimable({ queue: "q" }), 1, "in order of enqueueing the first gets it");
    assert.deepEqual(ids(await claimOf(store, 9)), ["a"]);
    assert.equal(await store.makeClaimable({ ids: ["b"] }), 0);
    assert.equal((await taskOf(store, "b")).state, "cancelled");
  });

  test("a task that has expired holds no unique key against another, swept or not", async () => {
    const { store, clock } = current();
    const one = (id: string, more = {}) => newTask(id, { unique: "k", ...more });
    await store.enqueue([one("a", { expiresMs: 50 }), newTask("beside", { unique: "l", expiresMs: 50 })]);
    clock.advance(49);
    assert.deepEqual(await store.enqueue([one("b")]), []);
    clock.advance(1);
    // Of two at once one gets it, and the other does not.
    assert.deepEqual(await store.enqueue([one("b"), one("c")]), ["b"]);
    const { state, error } = await taskOf(store, "a");
    assert.deepEqual([state, error], ["cancelled", "expired"]);
    assert.equal((await taskOf(store, "beside")).state, "waiting", "no other task has its key");
    assert.deepEqual(ids(await claimOf(store, 9)), ["b"]);
    assert.deepEqual(await store.enqueue([one("d")]), [], "one that was begun does not expire");
    const counts = (await store.queues()).find(({ name }) => name === "q")?.counts;
    assert.deepEqual([counts?.waiting, counts?.leased, counts?.cancelled], [1, 1, 1]);
  });

  test("of many that store a task at the moment at which the one with its key expires, one does", async () => {
    const { store, clock, reopen } = current();
    const stores = [store, await reopen(), await reopen()];
    for (let round = 0; round < 5; round++) {
      const key = `k${round}`;
      await store.enqueue([newTask(`${key}-old`, { unique: key, expiresMs: 50 })]);
      clock.advance(50);
      const news = await Promise.all(
        stores.flatMap((each, place) =>
          [0, 1].map((n) => each.enqueue([newTask(`${key}-${place}-${n}`, { unique: key })])),
        ),
      );
      assert.equal(news.flat().length, 1);
      assert.deepEqual(ids(await store.query({ unique: key })), news.flat());
    }
  });

  test("a task that ended gets its key again from one that has expired, and one that expired from itself", async () => {
    const { store, clock } = current();
    await store.enqueue([newTask("dead", { unique: "k" })]);
    const claim = await claimOne(store);
    await settle(store, claim, { state: "dead", error: "broken" });
    await store.enqueue([newTask("expired", { unique: "k", expiresMs: 50 })]);
    clock.advance(50);
    assert.equal(await store.makeClaimable({ ids: ["dead"] }), 1);
    assert.deepEqual(ids(await claimOf(store, 9)), ["dead"]);
    assert.equal((await taskOf(store, "expired")).state, "cancelled");
    await store.enqueue([newTask("waits", { unique: "l", expiresMs: 50 })]);
    clock.advance(50);
    assert.equal(await store.makeClaimable({ ids: ["waits"] }), 1);
    assert.deepEqual(ids(await claimOf(store, 9)), ["waits"]);
  });
}
