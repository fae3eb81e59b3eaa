import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { liveWorkers, rescueOrphans } from "../../../src/tasks/internal.ts";
import { Scene } from "./scene.ts";

/** Longer than any test runs: what happens in spite of it did not wait for a lease to run out. */
const LONG_LEASE_MS = 3_600_000;

test("a handler that never yields keeps its lease", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("busy", { payload: 2_500 });
  const child = scene.spawn(800);
  await child.said("started");
  for (;;) {
    assert.deepEqual(await scene.store.sweep({ poisonAfter: 5 }), { expired: [], poisoned: [] });
    const task = await scene.task();
    if (task.state === "succeeded") {
      assert.deepEqual([task.fence, task.crashes, task.result], [1, 0, "busy"]);
      return;
    }
    await sleep(50);
  }
});

test("the work of a killed process is taken over without waiting for its lease", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("steady");
  const child = scene.spawn(LONG_LEASE_MS);
  await child.said("started");
  const id = await child.said("worker");
  assert.deepEqual(await rescueOrphans(scene.store, 5), { expired: [], poisoned: [] });
  assert.deepEqual(await liveWorkers(scene.store, { queue: "q" }), [id]);
  await child.kill();
  assert.deepEqual(await liveWorkers(scene.store, { queue: "q" }), []);
  let calls = 0;
  scene.work({ steady: async () => ++calls });
  const task = await scene.until(({ state }) => state === "succeeded");
  assert.deepEqual([task.fence, task.crashes, task.result, calls], [2, 1, 1, 1]);
});

test("a process that was suspended past its lease finds its progress bounced", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("steady");
  const child = scene.spawn(600);
  await child.said("started");
  await child.suspend();
  const release = Promise.withResolvers<string>();
  scene.work({ steady: () => release.promise });
  await scene.until(({ fence, state }) => fence === 2 && state === "leased");
  const before = await scene.task();
  child.resume();
  await child.said("bounced");
  assert.deepEqual(await scene.task(), before);
  release.resolve("second");
  const task = await scene.until(({ state }) => state === "succeeded");
  assert.deepEqual([task.fence, task.result], [2, "second"]);
});

test("a process that was suspended past its lease finds its result bounced, and works on", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("late");
  const child = scene.spawn(600);
  await child.said("started");
  await child.suspend();
  const worker = scene.work({ late: async () => "second" });
  await scene.until(({ state }) => state === "succeeded");
  await worker.stop();
  child.resume();
  assert.equal(await child.said("aborted"), "LostError");
  await scene.enqueue("quick", { id: "next" });
  await scene.until(({ state }) => state === "succeeded", "next");
  const task = await scene.task();
  assert.deepEqual([task.state, task.fence, task.result], ["succeeded", 2, "second"]);
});

test("a task that kills its worker again and again is poison", async (t) => {
  const scene = await Scene.open(t);
  await scene.enqueue("crash");
  for (const fence of [1, 2, 3]) {
    await scene.spawn(LONG_LEASE_MS).exited;
    const { expired, poisoned } = await rescueOrphans(scene.store, 3);
    assert.deepEqual([expired, poisoned], [["t"], fence === 3 ? ["t"] : []]);
    assert.equal((await scene.task()).fence, fence);
  }
  const task = await scene.task();
  assert.deepEqual([task.state, task.crashes, task.failures], ["dead", 3, 0]);
});

test("processes that share a queue do each task once, though one of them is killed", async (t) => {
  const scene = await Scene.open(t);
  const ids = Array.from({ length: 40 }, (_, n) => `t${n}`);
  await scene.store.enqueue(ids.map((id) => ({ id, queue: "q", name: "quick", payload: null })));
  const [victim] = [scene.spawn(LONG_LEASE_MS), scene.spawn(LONG_LEASE_MS)];
  await scene.until(({ state }) => state === "succeeded", "t5");
  await victim?.kill();
  for (const id of ids) {
    const task = await scene.until(({ state }) => state === "succeeded", id);
    assert.equal(task.fence, task.crashes + 1);
    assert.equal(task.failures, 0);
  }
});
