import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Store } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, ids, newTask, settle, settlement, taskOf } from "./tasks.ts";

/** What is enqueued in the transform that ends a task. */
export function following(current: Current): void {
  test("a flow that is cancelled ends, though its tasks are just being followed by others", async () => {
    const { store } = current();
    for (let round = 0; round < 9; round++) {
      const flow = `g${round}`;
      await store.enqueue([newTask(`${flow}.0`, { flow })]);
      let over = false;
      const working = (async () => {
        for (let n = 1; !over; n++) {
          const claims = await store.claim({ queues: ["q"], n: 1, leaseMs: 60_000, worker: "w" });
          const next = [newTask(`${flow}.${n}`, { flow })];
          await store.settle(claims.map((claim) => settlement(claim, { state: "succeeded", next })));
          await setImmediate();
        }
      })();
      while ((await store.query({ flow })).length < 3 + (round % 3)) await setImmediate();
      await store.requestCancel({ flow });
      const left = await store.query({ flow, states: ["waiting", "leased"] });
      over = true;
      await working;
      assert.deepEqual(
        left.filter(({ cancelRequested }) => !cancelRequested).map(({ id }) => id),
        [],
      );
    }
  });

  test("what follows a task is stored in the transform that ends it, or not at all", async () => {
    const { store } = current();
    const lease = await claimed(store, "a");
    const next = [newTask("b"), newTask("c", { delayMs: 100 })];
    const broken = newTask("d", { delayMs: Number.NaN });
    await assert.rejects(settle(store, lease, { state: "succeeded", next: [...next, broken] }), {
      code: "store.unstorable",
    });
    assert.equal((await taskOf(store, "a")).state, "leased");
    assert.deepEqual(await settle(store, lease, { state: "succeeded", value: 1, next }), {
      lost: [],
    });
    assert.deepEqual(
      (await store.query({ queue: "q" })).map(({ id, state }) => [id, state]),
      [
        ["a", "succeeded"],
        ["b", "waiting"],
        ["c", "waiting"],
      ],
    );
    assert.deepEqual(ids(await claimOf(store, 9)), ["b"]);
  });

  test("a lost claim is followed by nothing", async () => {
    const { store, clock } = current();
    const late = await claimed(store, "a");
    clock.advance(1_000);
    await store.sweep({ poisonAfter: 9 });
    const result = { state: "succeeded", next: [newTask("b")] } as const;
    assert.deepEqual(await settle(store, late, result), { lost: ["a"] });
    assert.deepEqual(await store.query({ ids: ["b"] }), []);
  });

  test("a task that was asked to stop is cancelled with what would have followed it", async () => {
    const { store } = current();
    const lease = await claimed(store, "a");
    await store.requestCancel({ ids: ["a"] });
    await settle(store, lease, { state: "succeeded", value: 1, next: [newTask("b")] });
    const task = await taskOf(store, "a");
    assert.deepEqual([task.state, task.result, task.settledAt !== null], ["cancelled", null, true]);
    assert.equal((await store.attempts("a")).length, 1);
    assert.deepEqual(await store.query({ ids: ["b"] }), []);
  });

  test("what follows may be a group with its children", async () => {
    const { store } = current();
    const lease = await claimed(store, "a");
    const children = [0, 1].map((index) => newTask(`m${index}`, { childOf: { group: "j", index } }));
    const next = [newTask("callback", { held: true }), ...children];
    const groups = [{ id: "j", children: 2, need: "all", callback: "callback" } as const];
    await settle(store, lease, { state: "succeeded", next, groups });
    const claims = await claimOf(store, 9);
    assert.deepEqual(ids(claims), ["m0", "m1"]);
    await store.settle(claims.map((claim) => settlement(claim, { state: "succeeded" })));
    assert.deepEqual(ids(await claimOf(store, 9)), ["callback"]);
  });

  /** A group of one child, whose claim is returned. */
  async function memberOfGroup(store: Store, child = "a", group = "j") {
    await store.enqueue(
      [newTask(child, { childOf: { group: group, index: 4 } }), newTask(`${group}.callback`, { held: true })],
      { groups: [{ id: group, children: 1, need: "all", callback: `${group}.callback` }] },
    );
    const [claim] = await claimOf(store, 1, "w");
    assert.equal(claim?.id, child);
    return claim;
  }

  test("a child passes its place in the group on to its successor, and that counts instead", async () => {
    const { store } = current();
    const first = await memberOfGroup(store);
    await store.settle([
      settlement(first, {
        state: "succeeded",
        value: 1,
        next: [newTask("beside"), newTask("b")],
        successor: "b",
      }),
    ]);
    assert.deepEqual([(await store.group("j"))?.state, (await store.group("j"))?.succeeded], ["open", 0]);
    assert.equal((await taskOf(store, "a")).childOf, null);
    assert.deepEqual((await taskOf(store, "b")).childOf, { group: "j", index: 4 });
    assert.equal((await taskOf(store, "beside")).childOf, null);
    assert.deepEqual(ids((await store.children("j", { limit: 9 })).map(({ task }) => ({ id: task }))), ["b"]);
    const claims = await claimOf(store, 9);
    const second = claims.find(({ id }) => id === "b");
    assert.ok(second);
    await settle(store, second, { state: "succeeded", value: 2 });
    assert.deepEqual(await store.children("j", { limit: 9 }), [
      { index: 4, task: "b", state: "succeeded", result: 2, error: null },
    ]);
    assert.deepEqual(ids(await claimOf(store, 9)), ["j.callback"]);
  });

  test("a child whose successor is not there, or cannot be stored, counts itself", async () => {
    const { store } = current();
    await store.enqueue([newTask("taken", { held: true })]);
    for (const [n, successor] of [null, "other", "taken"].entries()) {
      const first = await memberOfGroup(store, `a${n}`, `j${n}`);
      const next = [newTask("taken"), newTask(`b${n}`, { delayMs: 1_000 })];
      await settle(store, first, { state: "succeeded", next, successor });
      assert.deepEqual(
        [(await store.group(`j${n}`))?.state, (await store.group(`j${n}`))?.succeeded],
        ["released", 1],
        `${successor}`,
      );
      assert.deepEqual((await taskOf(store, `a${n}`)).childOf, { group: `j${n}`, index: 4 });
      assert.deepEqual(ids(await claimOf(store, 9)), [`j${n}.callback`]);
    }
  });

  test("the place of a child is given to its successor only", async () => {
    const { store } = current();
    await store.enqueue([newTask("taken", { held: true })]);
    const first = await memberOfGroup(store);
    const greedy = newTask("greedy", { childOf: { group: "j", index: 4 } });
    const next = [greedy, newTask("taken")];
    await settle(store, first, { state: "succeeded", next, successor: "taken" });
    assert.deepEqual(await store.query({ ids: ["greedy"] }), []);
    const [child, ...others] = await store.children("j", { limit: 9 });
    assert.deepEqual([child?.task, others.length], ["a", 0]);
    assert.equal((await store.group("j"))?.state, "released");
  });

  test("the successor of a child of a failed group is cancelled", async () => {
    const { store } = current();
    await store.enqueue(
      [
        newTask("a", { childOf: { group: "j", index: 0 } }),
        newTask("fails", { childOf: { group: "j", index: 1 } }),
        newTask("callback", { held: true }),
      ],
      { groups: [{ id: "j", children: 2, need: "all", callback: "callback" }] },
    );
    const [a, fails] = await claimOf(store, 2);
    assert.ok(a && fails);
    await store.settle([
      settlement(fails, { state: "dead", error: "broken" }),
      settlement(a, { state: "succeeded", next: [newTask("b")], successor: "b" }),
    ]);
    // Either it was cancelled before it could be followed, or what followed it was.
    const open = await store.query({ queue: "q", states: ["waiting", "leased"] });
    assert.deepEqual(ids(open), []);
    assert.deepEqual([(await store.group("j"))?.state, (await store.group("j"))?.failed], ["failed", 2]);
  });
}
