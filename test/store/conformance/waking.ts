import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../../src/store/index.ts";
import type { Current } from "../conformance.ts";
import { claimOf, claimOne, newTask, settle } from "./tasks.ts";

/** Resolves when the store calls; the test's own time limit is the only one. */
function called(listen: (listener: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    // A pending promise alone does not keep a process alive.
    const alive = setInterval(() => {}, 1_000);
    const stop = listen(() => {
      stop();
      clearInterval(alive);
      resolve();
    });
  });
}

function call(store: Store): Promise<void> {
  return called((listener) => store.onClaimable(listener));
}

export function waking(current: Current): void {
  test("a listener is called when a task is enqueued, handed back, released or taken back", async () => {
    const { store } = current();
    const after = async (change: () => Promise<unknown>) => {
      const called = call(store);
      await change();
      await called;
    };
    await after(() => store.enqueue([newTask("t")]));
    const claim = () => claimOne(store, "w");
    const first = await claim();
    await after(() => settle(store, first, { state: "snoozed", delayMs: 0 }));
    const second = await claim();
    await settle(store, second, { state: "snoozed", delayMs: null });
    await after(() => store.makeClaimable({ ids: ["t"] }));
    await claim();
    await after(() => store.sweep({ deadWorkers: ["w"], poisonAfter: 5 }));
  });

  test("a listener hears of what another opening of the store did", async () => {
    const { store, reopen } = current();
    const other = await reopen();
    const enqueued = call(store);
    await other.enqueue([newTask("t")]);
    await enqueued;
    const claim = await claimOne(other);
    const handedBack = call(store);
    await settle(other, claim, { state: "retry", delayMs: 0, error: "again" });
    await handedBack;
    const released = call(store);
    await other.makeClaimable({ ids: ["t"] });
    await released;
    await claimOf(other, 1, "dead");
    const takenBack = call(store);
    await other.sweep({ deadWorkers: ["dead"], poisonAfter: 5 });
    await takenBack;
  });

  test("a listener that has stopped is not called again", async () => {
    const { store } = current();
    let calls = 0;
    const stop = store.onClaimable(() => calls++);
    stop();
    const called = call(store);
    await store.enqueue([newTask("t")]);
    await called;
    assert.equal(calls, 0);
  });

  test("a listener is called when a callback is let go, a queue resumed, a schedule fired or a chain goes on", async () => {
    const { store, reopen, clock } = current();
    const other = await reopen();
    const after = async (change: () => Promise<unknown>) => {
      const heard = Promise.all([call(store), call(other)]);
      await change();
      await heard;
    };
    const child = newTask("m", { childOf: { group: "j", index: 0 } });
    await store.enqueue([child, newTask("callback", { held: true })], {
      groups: [{ id: "j", children: null, need: "all", callback: "callback" }],
    });
    const m = await claimOne(store);
    await settle(store, m, { state: "succeeded" });
    await after(() => store.closeGroup("j", 1));
    const callback = await claimOne(store);
    await after(() => settle(store, callback, { state: "succeeded", next: [newTask("next")] }));
    await store.pauseQueue("q", true);
    await after(() => store.pauseQueue("q", false));
    const { version } = await store.putSchedule({ id: "s", spec: 1, task: 1, next: clock.wall() });
    await after(() => store.fireSchedule("s", version, null, [newTask("fired")]));
  });

  test("who waits for results hears of what was settled or made progress, also elsewhere", async () => {
    const { store, reopen } = current();
    const other = await reopen();
    const after = async (change: () => Promise<unknown>) => {
      const heard = Promise.all([store, other].map((one) => called((listener) => one.onSettled(listener))));
      await change();
      await heard;
    };
    await store.enqueue([newTask("a"), newTask("b"), newTask("c")]);
    const [a, b] = await claimOf(store, 2, "w");
    assert.ok(a && b);
    await after(() => store.progress([{ id: "a", fence: 1, value: 50 }]));
    await after(() => settle(store, a, { state: "succeeded" }));
    await after(() => store.requestCancel({ ids: ["c"] }));
    await after(() => store.sweep({ deadWorkers: ["w"], poisonAfter: 1 }));
  });
}
