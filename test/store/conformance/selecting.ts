import assert from "node:assert/strict";
import { test } from "node:test";
import type { Current } from "../conformance.ts";
import { claimOf, ids, newTask, taskOf } from "./tasks.ts";

/** Finding tasks, and acting on those that are found. */
export function selecting(current: Current): void {
  test("tasks are found by id, flow, queue and state, all conditions together, and never without one", async () => {
    const { store } = current();
    await store.enqueue([newTask("a", { flow: "g" }), newTask("b", { flow: "g", queue: "r" }), newTask("c")]);
    await claimOf(store);
    assert.deepEqual(ids(await store.query({ flow: "g" })), ["a", "b"]);
    assert.deepEqual(ids(await store.query({ flow: "g", states: ["leased"] })), ["a"]);
    assert.deepEqual(ids(await store.query({ ids: ["c", "b", "missing"] })), ["b", "c"]);
    assert.deepEqual(ids(await store.query({ queue: "q", states: ["waiting", "dead"] })), ["c"]);
    assert.deepEqual(await store.query({ queue: "q", states: [] }), []);
    assert.deepEqual(await store.query({ ids: [] }), []);
    await assert.rejects(store.query({}), TypeError);
    await assert.rejects(store.requestCancel({}), TypeError);
    await assert.rejects(store.makeClaimable({}), TypeError);
  });

  test("tasks are found by name, by age, and by text in the payload, whatever its case", async () => {
    const { store, clock } = current();
    await store.enqueue([
      newTask("a", { name: "mail", payload: { to: "Zoë@Example.org", list: [1, 2] } }),
      newTask("b", { payload: "100% of a_b" }),
    ]);
    clock.advance(1_000);
    await store.enqueue([newTask("c", { name: "mail", payload: { to: "ÉCOLE" } })]);
    clock.advance(500);
    const find = async (selector: Parameters<typeof store.query>[0]) => ids(await store.query(selector));
    assert.deepEqual(await find({ name: "mail" }), ["a", "c"]);
    assert.deepEqual(await find({ olderMs: 1_500 }), ["a", "b"]);
    assert.deepEqual(await find({ olderMs: 1_501 }), []);
    assert.deepEqual(await find({ youngerMs: 500 }), ["c"]);
    assert.deepEqual(await find({ youngerMs: 1_499, olderMs: 500 }), ["c"]);
    assert.deepEqual(await find({ name: "mail", youngerMs: 1_500, text: "zoë@EXAMPLE" }), ["a"]);
    assert.deepEqual(await find({ text: "école" }), ["c"]);
    assert.deepEqual(await find({ text: '"list":[1,2]' }), ["a"]);
    assert.deepEqual(await find({ text: "0% OF A_B" }), ["b"]);
    assert.deepEqual(await find({ text: "%" }), ["b"], "no sign stands for others");
    assert.deepEqual(await find({ text: "a_" }), ["b"]);
    assert.deepEqual(await find({ text: "nothing like it" }), []);
  });

  test("a selector reaches the same tasks for cancelling and for releasing", async () => {
    const { store } = current();
    await store.enqueue([newTask("a", { name: "mail" }), newTask("b"), newTask("c", { payload: "Find me" })]);
    assert.equal(await store.requestCancel({ name: "mail" }), 1);
    assert.equal(await store.requestCancel({ text: "find ME" }), 1);
    assert.deepEqual(ids(await store.query({ states: ["cancelled"] })), ["a", "c"]);
    assert.equal(await store.makeClaimable({ states: ["cancelled"], youngerMs: 0 }), 2);
    assert.deepEqual(ids(await claimOf(store, 9)), ["a", "b", "c"]);
  });

  test("a list is read in pages, from either end", async () => {
    const { store } = current();
    await store.enqueue(["d", "b", "e", "a", "c"].map((id) => newTask(id)));
    const page = async (more: object) => ids(await store.query({ queue: "q" }, { limit: 2, ...more }));
    assert.deepEqual(await page({}), ["d", "b"]);
    assert.deepEqual(await page({ after: "b" }), ["e", "a"]);
    assert.deepEqual(await page({ after: "a" }), ["c"]);
    assert.deepEqual(await page({ after: "c" }), []);
    assert.deepEqual(await page({ newestFirst: true }), ["c", "a"]);
    assert.deepEqual(await page({ newestFirst: true, after: "a" }), ["e", "b"]);
    assert.deepEqual(await page({ limit: 0 }), []);
    assert.deepEqual(ids(await store.query({ queue: "q" }, { newestFirst: true })), [
      "c",
      "a",
      "e",
      "b",
      "d",
    ]);
    await assert.rejects(page({ after: "nobody" }), { code: "store.no-such-task" });
  });

  test("what is kept with a task comes back as it was", async () => {
    const { store } = current();
    const meta = { retries: 3, next: [{ name: "é\u0000" }] };
    await store.enqueue([newTask("t", { meta })]);
    assert.deepEqual((await taskOf(store)).meta, meta);
    assert.deepEqual((await claimOf(store))[0]?.task.meta, meta);
  });

  test("a cancel of very many tasks reaches all of them", async () => {
    const { store } = current();
    await store.enqueue(Array.from({ length: 5_500 }, (_, n) => newTask(`t${n}`)));
    const [claim] = await claimOf(store);
    assert.equal(await store.requestCancel({ queue: "q" }), 5_500);
    assert.equal((await store.query({ states: ["cancelled"] })).length, 5_499);
    assert.deepEqual((await store.renew([claim ?? { id: "", fence: 0 }], 1_000)).cancelRequested, ["t0"]);
    assert.equal(await store.makeClaimable({ queue: "q" }), 5_499);
    assert.equal((await store.query({ states: ["waiting"] })).length, 5_499);
  });
}
