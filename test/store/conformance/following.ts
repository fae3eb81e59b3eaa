import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Store } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimed, claimOf, ids, newTask, settlement, taskOf } from "./tasks.ts";

/** What is enqueued in the step that ends a task. */
export function following(current: Current): void {
  test("a group that is cancelled ends, though its tasks are just being followed by others", async () => {
    const { store } = current();
    for (let round = 0; round < 9; round++) {
      const group = `g${round}`;
      await store.enqueue([newTask(`${group}.0`, { group })]);
      let over = false;
      const working = (async () => {
        for (let n = 1; !over; n++) {
          const claims = await store.claim({ queues: ["q"], n: 1, leaseMs: 60_000, worker: "w" });
          const next = [newTask(`${group}.${n}`, { group })];
          await store.settle(claims.map((claim) => settlement(claim, { state: "succeeded", next })));
          await setImmediate();
        }
      })();
      while ((await store.query({ group })).length < 3 + (round % 3)) await setImmediate();
      await store.requestCancel({ group });
      const left = await store.query({ group, states: ["waiting", "leased"] });
      over = true;
      await working;
      assert.deepEqual(
        left.filter(({ cancelRequested }) => !cancelRequested).map(({ id }) => id),
        [],
      );
    }
  });

  test("what follows a task is stored in the step that ends it, or not at all", async () => {
    const { store } = current();
    const lease = await claimed(store, "a");
    const next = [newTask("b"), newTask("c", { delayMs: 100 })];
    const broken = newTask("d", { delayMs: Number.NaN });
    await assert.rejects(store.settle([settlement(lease, { state: "succeeded", next: [...next, broken] })]), {
      code: "store.unstorable",
    });
    assert.equal((await taskOf(store, "a")).state, "leased");
    assert.deepEqual(await store.settle([settlement(lease, { state: "succeeded", value: 1, next })]), {
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
    assert.deepEqual(await store.settle([settlement(late, result)]), { lost: ["a"] });
    assert.deepEqual(await store.query({ ids: ["b"] }), []);
  });

  test("a task that was asked to stop is cancelled with what would have followed it", async () => {
    const { store } = current();
    const lease = await claimed(store, "a");
    await store.requestCancel({ ids: ["a"] });
    await store.settle([settlement(lease, { state: "succeeded", value: 1, next: [newTask("b")] })]);
    const task = await taskOf(store, "a");
    assert.deepEqual([task.state, task.result, task.settledAt !== null], ["cancelled", null, true]);
    assert.equal((await store.attempts("a")).length, 1);
    assert.deepEqual(await store.query({ ids: ["b"] }), []);
  });

  test("what follows may be a join with its members", async () => {
    const { store } = current();
    const lease = await claimed(store, "a");
    const members = [0, 1].map((index) => newTask(`m${index}`, { member: { join: "j", index } }));
    const next = [newTask("body", { held: true }), ...members];
    const joins = [{ id: "j", members: 2, need: "all", body: "body" } as const];
    await store.settle([settlement(lease, { state: "succeeded", next, joins })]);
    const claims = await claimOf(store, 9);
    assert.deepEqual(ids(claims), ["m0", "m1"]);
    await store.settle(claims.map((claim) => settlement(claim, { state: "succeeded" })));
    assert.deepEqual(ids(await claimOf(store, 9)), ["body"]);
  });

  /** A join of one member, whose claim is returned. */
  async function memberOfJoin(store: Store, member = "a", join = "j") {
    await store.enqueue(
      [newTask(member, { member: { join, index: 4 } }), newTask(`${join}.body`, { held: true })],
      { joins: [{ id: join, members: 1, need: "all", body: `${join}.body` }] },
    );
    const [claim] = await store.claim({ queues: ["q"], n: 1, leaseMs: 1_000, worker: "w" });
    assert.equal(claim?.id, member);
    return claim;
  }

  test("a member passes its place in the join on to its successor, and that counts instead", async () => {
    const { store } = current();
    const first = await memberOfJoin(store);
    await store.settle([
      settlement(first, {
        state: "succeeded",
        value: 1,
        next: [newTask("beside"), newTask("b")],
        successor: "b",
      }),
    ]);
    assert.deepEqual([(await store.join("j"))?.state, (await store.join("j"))?.succeeded], ["open", 0]);
    assert.equal((await taskOf(store, "a")).member, null);
    assert.deepEqual((await taskOf(store, "b")).member, { join: "j", index: 4 });
    assert.equal((await taskOf(store, "beside")).member, null);
    assert.deepEqual(ids((await store.members("j", { limit: 9 })).map(({ task }) => ({ id: task }))), ["b"]);
    const claims = await claimOf(store, 9);
    const second = claims.find(({ id }) => id === "b");
    assert.ok(second);
    await store.settle([settlement(second, { state: "succeeded", value: 2 })]);
    assert.deepEqual(await store.members("j", { limit: 9 }), [
      { index: 4, task: "b", state: "succeeded", result: 2, error: null },
    ]);
    assert.deepEqual(ids(await claimOf(store, 9)), ["j.body"]);
  });

  test("a member whose successor is not there, or cannot be stored, counts itself", async () => {
    const { store } = current();
    await store.enqueue([newTask("taken", { held: true })]);
    for (const [n, successor] of [null, "other", "taken"].entries()) {
      const first = await memberOfJoin(store, `a${n}`, `j${n}`);
      const next = [newTask("taken"), newTask(`b${n}`, { delayMs: 1_000 })];
      await store.settle([settlement(first, { state: "succeeded", next, successor })]);
      assert.deepEqual(
        [(await store.join(`j${n}`))?.state, (await store.join(`j${n}`))?.succeeded],
        ["released", 1],
        `${successor}`,
      );
      assert.deepEqual((await taskOf(store, `a${n}`)).member, { join: `j${n}`, index: 4 });
      assert.deepEqual(ids(await claimOf(store, 9)), [`j${n}.body`]);
    }
  });

  test("the place of a member is given to its successor only", async () => {
    const { store } = current();
    await store.enqueue([newTask("taken", { held: true })]);
    const first = await memberOfJoin(store);
    const greedy = newTask("greedy", { member: { join: "j", index: 4 } });
    const next = [greedy, newTask("taken")];
    await store.settle([settlement(first, { state: "succeeded", next, successor: "taken" })]);
    assert.deepEqual(await store.query({ ids: ["greedy"] }), []);
    const [member, ...others] = await store.members("j", { limit: 9 });
    assert.deepEqual([member?.task, others.length], ["a", 0]);
    assert.equal((await store.join("j"))?.state, "released");
  });

  test("the successor of a member of a failed join is cancelled", async () => {
    const { store } = current();
    await store.enqueue(
      [
        newTask("a", { member: { join: "j", index: 0 } }),
        newTask("fails", { member: { join: "j", index: 1 } }),
        newTask("body", { held: true }),
      ],
      { joins: [{ id: "j", members: 2, need: "all", body: "body" }] },
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
    assert.deepEqual([(await store.join("j"))?.state, (await store.join("j"))?.failed], ["failed", 2]);
  });
}
