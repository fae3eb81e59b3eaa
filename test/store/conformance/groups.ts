import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewGroup, NewTask, Store, TaskResult } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, ids, newTask, settle, settlement, taskOf } from "./tasks.ts";

/** Enqueues a group named `id` with its callback and some children, `id.0`, `id.1` and so on. */
async function chord(
  store: Store,
  id: string,
  children: number,
  more: Partial<NewGroup> = {},
  callback: Partial<NewTask> = {},
): Promise<void> {
  const tasks = Array.from({ length: children }, (_, index) =>
    newTask(`${id}.${index}`, { flow: id, childOf: { group: id, index } }),
  );
  const group: NewGroup = { id, children, need: "all", callback: `${id}.callback`, ...more };
  await store.enqueue([newTask(`${id}.callback`, { flow: id, held: true, ...callback }), ...tasks], {
    groups: [group],
  });
}

/** Claims the named task, which must be among the claimable ones, and settles it. */
async function end(store: Store, id: string, result: TaskResult): Promise<void> {
  const claims = await claimOf(store, 100);
  const claim = claims.find((one) => one.id === id);
  assert.ok(claim, `${id} can be claimed, of ${ids(claims).join()}`);
  await store.settle(
    claims.map((one) => settlement(one, one === claim ? result : { state: "snoozed", delayMs: 0 })),
  );
}

const succeeded = { state: "succeeded" } as const;
const dead = { state: "dead", error: "broken" } as const;

async function standing(store: Store, id: string): Promise<[string, number, number] | undefined> {
  const group = await store.group(id);
  return group && [group.state, group.succeeded, group.failed];
}

async function stateOf(store: Store, id: string): Promise<string> {
  return (await taskOf(store, id)).state;
}

/** Tasks that wait for others. */
export function groups(current: Current): void {
  test("a group lets its callback go once all children have succeeded, and not before", async () => {
    const { store, clock } = current();
    await chord(store, "j", 3);
    assert.deepEqual(await store.group("j"), {
      id: "j",
      children: 3,
      need: "all",
      callback: "j.callback",
      state: "open",
      succeeded: 0,
      failed: 0,
    });
    const claims = await claimOf(store, 10);
    assert.deepEqual(ids(claims), ["j.0", "j.1", "j.2"]);
    const [a, b, c] = claims;
    assert.ok(a && b && c);
    await store.settle([settlement(a, succeeded), settlement(b, succeeded)]);
    assert.deepEqual(await claimOf(store), []);
    assert.deepEqual(await standing(store, "j"), ["open", 2, 0]);
    assert.equal(await store.claimableInMs(["q"]), 1_000, "only the lease of the last child");
    clock.advance(10);
    await settle(store, c, succeeded);
    assert.deepEqual(await standing(store, "j"), ["released", 3, 0]);
    assert.equal((await taskOf(store, "j.callback")).due, clock.wall());
    assert.deepEqual(ids(await claimOf(store)), ["j.callback"]);
    await store.settle([settlement(c, succeeded), settlement(a, succeeded)]);
    assert.deepEqual(await standing(store, "j"), ["released", 3, 0], "each child counts once");
  });

  test("a retry and a snooze of a child do not count", async () => {
    const { store } = current();
    await chord(store, "j", 1);
    await end(store, "j.0", { state: "retry", delayMs: 0, error: "later" });
    await end(store, "j.0", { state: "snoozed", delayMs: 0 });
    assert.deepEqual(await standing(store, "j"), ["open", 0, 0]);
    await end(store, "j.0", succeeded);
    assert.deepEqual(await standing(store, "j"), ["released", 1, 0]);
  });

  test("a group that cannot be met fails: open children are cancelled, the callback is dead and says why", async () => {
    const { store, clock } = current();
    await chord(store, "j", 4);
    const [a, b] = await claimOf(store, 2);
    assert.ok(a && b);
    clock.advance(5);
    await settle(store, b, dead);
    assert.deepEqual(await standing(store, "j"), ["failed", 0, 3]);
    const callback = await taskOf(store, "j.callback");
    assert.deepEqual([callback.state, callback.due, callback.settledAt], ["dead", null, clock.wall()]);
    assert.match(callback.error ?? "", /1 .*j\.1.*broken/);
    assert.deepEqual(
      (await store.children("j", { limit: 10 })).map(({ state }) => state),
      ["leased", "dead", "cancelled", "cancelled"],
    );
    assert.deepEqual((await store.renew([a], 1_000)).cancelRequested, ["j.0"]);
    await settle(store, a, { state: "cancelled" });
    assert.deepEqual(await standing(store, "j"), ["failed", 0, 4]);
    assert.deepEqual(await claimOf(store), []);
  });

  test("a cancelled, an expired and a poisoned child count as failed", async () => {
    for (const [name, fails] of [
      ["cancelled", (store: Store) => store.requestCancel({ ids: ["cancelled.0"] })],
      [
        "expired",
        async (store: Store) => {
          current().clock.advance(50);
          await store.sweep({ poisonAfter: 1 });
        },
      ],
      [
        "poisoned",
        async (store: Store) => {
          await claimOf(store, 1, "dying");
          await store.sweep({ deadWorkers: ["dying"], poisonAfter: 1 });
        },
      ],
    ] as const) {
      const { store } = current();
      await store.enqueue(
        [
          newTask(`${name}.0`, {
            childOf: { group: name, index: 0 },
            ...(name === "expired" ? { expiresMs: 50 } : {}),
          }),
          newTask(`${name}.callback`, { held: true }),
        ],
        { groups: [{ id: name, children: 1, need: "all", callback: `${name}.callback` }] },
      );
      await fails(store);
      assert.deepEqual(await standing(store, name), ["failed", 0, 1], name);
      assert.equal(await stateOf(store, `${name}.callback`), "dead", name);
    }
  });

  test("a group that needs a number of successes waits for all and fails only when they are out of reach", async () => {
    const { store, clock } = current();
    await chord(store, "two", 3, { need: 2 });
    await end(store, "two.0", dead);
    assert.deepEqual(await standing(store, "two"), ["open", 0, 1]);
    await end(store, "two.1", succeeded);
    await end(store, "two.2", succeeded);
    assert.deepEqual(await standing(store, "two"), ["released", 2, 1]);
    await end(store, "two.callback", succeeded);
    await chord(store, "out", 3, { need: 2 });
    await end(store, "out.2", dead);
    clock.advance(1);
    await end(store, "out.0", dead);
    assert.deepEqual(await standing(store, "out"), ["failed", 0, 3]);
    assert.match(
      (await taskOf(store, "out.callback")).error ?? "",
      /out\.2/,
      "the first that failed, not the last",
    );
    await chord(store, "any", 2, { need: 0 });
    await end(store, "any.0", dead);
    assert.equal(await stateOf(store, "any.callback"), "waiting");
    await end(store, "any.1", dead);
    assert.deepEqual(await standing(store, "any"), ["released", 0, 2]);
    assert.deepEqual(ids(await claimOf(store, 9)), ["any.callback"]);
  });

  test("a group without children releases its callback at once, and one that needs more than it has fails", async () => {
    const { store } = current();
    await chord(store, "none", 0);
    assert.deepEqual(await standing(store, "none"), ["released", 0, 0]);
    assert.deepEqual(ids(await claimOf(store)), ["none.callback"]);
    await chord(store, "many", 2, { need: 3 });
    assert.deepEqual(await standing(store, "many"), ["failed", 0, 2]);
    assert.match((await taskOf(store, "many.callback")).error ?? "", /2.*3|3.*2/);
  });

  test("a group that is closed later waits for that, and comes to its end by it", async () => {
    const { store } = current();
    for (const [id, need, result, state] of [
      ["done", "all", succeeded, "released"],
      ["short", 2, succeeded, "failed"],
      ["lost", 1, dead, "failed"],
    ] as const) {
      await chord(store, id, 1, { children: null, need });
      assert.equal((await store.group(id))?.children, null);
      await end(store, `${id}.0`, result);
      assert.equal((await store.group(id))?.state, "open", id);
      await store.closeGroup(id, 1);
      assert.deepEqual([(await store.group(id))?.state, (await store.group(id))?.children], [state, 1], id);
      await store.closeGroup(id, 1);
    }
    await assert.rejects(store.closeGroup("done", 2), { code: "store.group-closed" });
    await assert.rejects(store.closeGroup("nothing", 2), { code: "store.no-such-group" });
  });

  test("an open-ended group that needs all fails with the first failure, and later children are cancelled", async () => {
    const { store } = current();
    await chord(store, "j", 1, { children: null });
    await end(store, "j.0", dead);
    assert.deepEqual(await standing(store, "j"), ["failed", 0, 1]);
    const late = newTask("j.1", { childOf: { group: "j", index: 1 } });
    assert.deepEqual(await store.enqueue([late, newTask("other")]), ["j.1", "other"]);
    assert.equal(await stateOf(store, "j.1"), "cancelled");
    assert.deepEqual(await standing(store, "j"), ["failed", 0, 2]);
    assert.deepEqual(ids(await claimOf(store, 9)), ["other"]);
  });

  test("an enqueue that is repeated changes neither groups nor children, and a taken place is not given twice", async () => {
    const { store } = current();
    await chord(store, "j", 2);
    await end(store, "j.0", succeeded);
    await chord(store, "j", 2, { children: 7, need: 5 });
    assert.deepEqual(await store.group("j"), {
      id: "j",
      children: 2,
      need: "all",
      callback: "j.callback",
      state: "open",
      succeeded: 1,
      failed: 0,
    });
    assert.deepEqual(await store.enqueue([newTask("double", { childOf: { group: "j", index: 1 } })]), []);
    await end(store, "j.1", succeeded);
    assert.deepEqual(await standing(store, "j"), ["released", 2, 0]);
  });

  test("an unknown group or a missing callback is an error, and nothing of that batch is stored", async () => {
    const { store } = current();
    const stray = newTask("stray", { childOf: { group: "nothing", index: 0 } });
    await assert.rejects(store.enqueue([newTask("a"), stray]), { code: "store.no-such-group" });
    await assert.rejects(
      store.enqueue([newTask("a")], { groups: [{ id: "j", children: 1, need: "all", callback: "nobody" }] }),
      { code: "store.no-callback" },
    );
    assert.deepEqual(await store.query({ queue: "q" }), []);
    assert.equal(await store.group("j"), undefined);
  });

  test("children are read in pages by index, also those in some states only", async () => {
    const { store } = current();
    await chord(store, "j", 5, { need: 0 });
    await end(store, "j.3", { state: "succeeded", value: { n: 3 } });
    await end(store, "j.1", dead);
    const all = await store.children("j", { limit: 10 });
    assert.deepEqual(
      all.map(({ index, task, state }) => [index, task, state]),
      [0, 1, 2, 3, 4].map((n) => [n, `j.${n}`, n === 3 ? "succeeded" : n === 1 ? "dead" : "waiting"]),
    );
    assert.deepEqual(all[3], { index: 3, task: "j.3", state: "succeeded", result: { n: 3 }, error: null });
    assert.deepEqual(all[1], { index: 1, task: "j.1", state: "dead", result: null, error: "broken" });
    assert.deepEqual(await store.children("j", { limit: 2 }), all.slice(0, 2));
    assert.deepEqual(await store.children("j", { limit: 2, afterIndex: 1 }), all.slice(2, 4));
    assert.deepEqual(await store.children("j", { limit: 9, states: ["dead", "succeeded"] }), [
      all[1],
      all[3],
    ]);
    assert.deepEqual(await store.children("nothing", { limit: 9 }), []);
    assert.deepEqual((await taskOf(store, "j.3")).childOf, { group: "j", index: 3 });
  });

  test("a group inside another counts for that one by its callback", async () => {
    const { store } = current();
    await chord(store, "outer", 1, { children: 2 });
    await chord(store, "inner", 2, {}, { childOf: { group: "outer", index: 1 } });
    await end(store, "outer.0", succeeded);
    await end(store, "inner.0", succeeded);
    await end(store, "inner.1", succeeded);
    assert.deepEqual(await standing(store, "outer"), ["open", 1, 0]);
    await end(store, "inner.callback", succeeded);
    assert.deepEqual(await standing(store, "outer"), ["released", 2, 0]);
    assert.deepEqual(ids(await claimOf(store, 9)), ["outer.callback"]);
  });

  test("a failure goes outwards, and inwards to the children of what is cancelled", async () => {
    const { store } = current();
    await chord(store, "outer", 1, { children: 3 });
    await chord(store, "failing", 2, {}, { childOf: { group: "outer", index: 1 } });
    await chord(store, "beside", 2, {}, { childOf: { group: "outer", index: 2 } });
    await end(store, "failing.1", dead);
    for (const id of ["outer", "failing", "beside"])
      assert.equal((await store.group(id))?.state, "failed", id);
    assert.match(
      (await taskOf(store, "outer.callback")).error ?? "",
      /failing\.callback.*failing\.1.*broken/,
    );
    const states = (await store.query({ queue: "q" })).map(({ id, state }) => `${id} ${state}`);
    assert.deepEqual(states.sort(), [
      "beside.0 cancelled",
      "beside.1 cancelled",
      "beside.callback cancelled",
      "failing.0 cancelled",
      "failing.1 dead",
      "failing.callback dead",
      "outer.0 cancelled",
      "outer.callback dead",
    ]);
    assert.deepEqual(await standing(store, "beside"), ["failed", 0, 2]);
    assert.deepEqual(await standing(store, "outer"), ["failed", 0, 3]);
  });

  test("a callback that is cancelled before it was released takes its children along", async () => {
    const { store } = current();
    await chord(store, "j", 3, { need: 0 });
    const running = await claimOne(store);
    assert.equal(await store.requestCancel({ ids: ["j.callback"] }), 1);
    assert.deepEqual(await standing(store, "j"), ["failed", 0, 2]);
    assert.deepEqual((await store.renew([running], 1_000)).cancelRequested, ["j.0"]);
    await settle(store, running, succeeded);
    assert.deepEqual(await standing(store, "j"), ["failed", 1, 2]);
    assert.equal(await stateOf(store, "j.callback"), "cancelled");
    assert.deepEqual(await claimOf(store, 9), []);
  });

  test("children that are released make their failed group open again, with its callback held", async () => {
    const { store } = current();
    await chord(store, "outer", 0, { children: 1 });
    await chord(store, "j", 3, {}, { childOf: { group: "outer", index: 0 } });
    await end(store, "j.1", succeeded);
    await end(store, "j.0", dead);
    assert.equal((await store.group("outer"))?.state, "failed");
    assert.equal(await store.makeClaimable({ ids: ["j.2"] }), 1);
    assert.deepEqual(await standing(store, "j"), ["failed", 1, 1], "one that failed is still in the way");
    assert.equal(await store.makeClaimable({ ids: ["j.0"] }), 1);
    assert.deepEqual(await standing(store, "j"), ["open", 1, 0]);
    assert.deepEqual(await standing(store, "outer"), ["open", 0, 0]);
    for (const id of ["j.callback", "outer.callback"]) {
      const { state, due, error, settledAt } = await taskOf(store, id);
      assert.deepEqual([state, due, error, settledAt], ["waiting", null, null, null], id);
    }
    await end(store, "j.0", succeeded);
    await end(store, "j.2", succeeded);
    assert.deepEqual(await standing(store, "j"), ["released", 3, 0]);
    await end(store, "j.callback", succeeded);
    assert.deepEqual(ids(await claimOf(store, 9)), ["outer.callback"]);
  });

  test("a whole that was cancelled is released as it was, and only its groups let callbacks go", async () => {
    const { store } = current();
    await chord(store, "j", 2);
    assert.equal(await store.makeClaimable({ flow: "j" }), 2, "the callback is left to its group");
    assert.equal((await taskOf(store, "j.callback")).due, null);
    await end(store, "j.0", succeeded);
    await store.requestCancel({ flow: "j" });
    assert.equal((await store.group("j"))?.state, "failed");
    assert.equal(await store.makeClaimable({ ids: ["j.callback"] }), 0);
    assert.equal(await stateOf(store, "j.callback"), "cancelled");
    assert.equal(await store.makeClaimable({ flow: "j", states: ["dead", "cancelled"] }), 2);
    assert.deepEqual(await standing(store, "j"), ["open", 1, 0]);
    assert.equal((await taskOf(store, "j.callback")).due, null);
    await end(store, "j.1", succeeded);
    assert.deepEqual(ids(await claimOf(store, 9)), ["j.callback"]);
  });

  test("a callback that is released when its children have ended is let go if enough of them succeeded", async () => {
    const { store } = current();
    await chord(store, "j", 2, { need: 1 });
    await end(store, "j.0", succeeded);
    await store.requestCancel({ ids: ["j.callback"] });
    assert.deepEqual(await standing(store, "j"), ["failed", 1, 1]);
    assert.equal(await store.makeClaimable({ ids: ["j.callback"] }), 1);
    assert.deepEqual(await standing(store, "j"), ["released", 1, 1]);
    await end(store, "j.callback", dead);
    assert.equal(
      await store.makeClaimable({ ids: ["j.callback"] }),
      1,
      "a callback that was let go is a task like others",
    );
    assert.deepEqual(ids(await claimOf(store, 9)), ["j.callback"]);
  });

  test("many children that end in one step let the callback go once", async () => {
    const { store } = current();
    await chord(store, "j", 500, { need: 400 });
    const claims = await claimOf(store, 1_000);
    assert.equal(claims.length, 500);
    await store.settle(claims.map((claim, n) => settlement(claim, n % 5 === 0 ? dead : succeeded)));
    assert.deepEqual(await standing(store, "j"), ["released", 400, 100]);
    assert.deepEqual(ids(await claimOf(store, 9)), ["j.callback"]);
  });
}
