import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { double, notes, rated, slowly, waits } from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

/** Slots, rates and the ends of workers. */
export function queues(open: OpenPlace): void {
  test("a queue runs no more tasks at once than it has slots, and holds up no other", async () => {
    await using stage = await Stage.open(open);
    const worker = await stage.work({ queues: { default: 2, slow: 3 }, prefetch: 5 });
    const stuck = await Promise.all(
      Array.from({ length: 8 }, () => stage.client.enqueue(waits, null, { queue: "slow" })),
    );
    const started = async () =>
      (await stage.store.queues()).find(({ name }) => name === "slow")?.counts.leased ?? 0;
    while ((await started()) < 3) await new Promise(setImmediate);
    const quick = await Promise.all(Array.from({ length: 50 }, (_, n) => stage.client.enqueue(double, n)));
    for (const [n, handle] of quick.entries()) assert.equal(await handle.result(), n * 2);
    const ids = new Set(stuck.map(({ id }) => id));
    assert.equal(worker.running().filter((id) => ids.has(id)).length, 3);
    await worker.stop({ drain: 0 });
    // What ran, and what was claimed ahead, is there for others at once.
    for (const { id } of stuck) {
      const { state, failures, crashes, due } = await stage.task(id);
      assert.deepEqual([state, failures, crashes, due !== null], ["waiting", 0, 0, true]);
    }
  });

  test("a worker that claims ahead keeps nothing when it is stopped, whatever it was about", async () => {
    await using stage = await Stage.open(open);
    const tasks = 900;
    await stage.client.enqueueMany(
      double,
      Array.from({ length: tasks }, (_, n) => n),
    );
    const counts = async () => (await stage.store.queues())[0]?.counts;
    let stops = 0;
    for (let succeeded = 0; succeeded < tasks; stops++) {
      const worker = await stage.work({ queues: { default: 20 }, prefetch: 300 });
      // At once, or while it is about to claim, to run or to settle.
      const enough = Math.min(tasks, succeeded + (stops % 2 === 0 ? 1 : 200));
      while (((await counts())?.succeeded ?? 0) < enough) await sleep(1);
      await worker.stop({ drain: "1h" });
      const now = await counts();
      assert.equal(now?.leased, 0);
      succeeded = now?.succeeded ?? 0;
      assert.equal((now?.waiting ?? 0) + succeeded, tasks);
    }
    assert.ok(stops > 1);
  });

  test("a cancelled task that was claimed ahead never begins", async () => {
    await using stage = await Stage.open(open);
    const file = join(stage.folder, "runs");
    await stage.work({ queues: { default: 1 }, prefetch: 4, lease: "600ms" });
    const first = await stage.client.enqueue(waits, null);
    await stage.until(first.id, ({ state }) => state === "leased");
    const ahead = await stage.client.enqueue(notes, { file, line: "ahead" });
    await stage.until(ahead.id, ({ state }) => state === "leased");
    await ahead.cancel();
    await assert.rejects(ahead.result(), { code: "task.cancelled" });
    await first.cancel();
    await assert.rejects(first.result(), { code: "task.cancelled" });
    await assert.rejects(readFile(file), { code: "ENOENT" });
  });

  test("no window of its period holds more starts than a rate allows, over two workers", async () => {
    await using stage = await Stage.open(open);
    const handles = await Promise.all(Array.from({ length: 50 }, () => stage.client.enqueue(rated)));
    for (const _ of [1, 2]) await stage.work({ queues: { rated: 10, default: 2 } });
    // Others are not held up by those that wait for their rate.
    assert.equal(await (await stage.client.enqueue(double, 2, { queue: "rated" })).result(), 4);
    for (const handle of handles) await handle.result();
    const starts: number[] = [];
    for (const { id } of handles) starts.push((await stage.task(id)).startedAt as number);
    starts.sort((a, b) => a - b);
    for (let at = 20; at < starts.length; at++) {
      const window = (starts[at] as number) - (starts[at - 20] as number);
      assert.ok(window >= 1_000, `21 starts within ${window} ms`);
    }
  });

  test("a rate holds and is used though a worker claims others ahead of it", async () => {
    await using stage = await Stage.open(open);
    const flood = Array.from({ length: 500 }, (_, n) => n);
    await stage.client.enqueueMany(double, flood, { queue: "rated", priority: 5 });
    const handles = await Promise.all(Array.from({ length: 30 }, () => stage.client.enqueue(rated)));
    await stage.work({ queues: { rated: 4 }, prefetch: 50 });
    for (const handle of handles) await handle.result();
    const starts: number[] = [];
    for (const { id } of handles) starts.push((await stage.task(id)).startedAt as number);
    starts.sort((a, b) => a - b);
    for (let at = 20; at < starts.length; at++) {
      assert.ok((starts[at] as number) - (starts[at - 20] as number) >= 1_000);
    }
    const counts = async () => (await stage.store.queues())[0]?.counts;
    while ((await counts())?.succeeded !== 530) await sleep(20);
  });

  test("a paused queue is left alone until it goes on", async () => {
    await using stage = await Stage.open(open);
    await stage.store.pauseQueue("slow", true);
    await stage.work({ queues: { default: 1, slow: 1 } });
    const paused = await stage.client.enqueue(slowly, 1);
    assert.equal(await (await stage.client.enqueue(double, 2)).result(), 4);
    assert.equal((await paused.status())?.state, "waiting");
    await stage.store.pauseQueue("slow", false);
    await paused.result();
  });

  test("a worker that drains lets running tasks end", async () => {
    await using stage = await Stage.open(open);
    const worker = await stage.work({ queues: { slow: 1 }, prefetch: 3 });
    const [running, next] = [
      await stage.client.enqueue(slowly, 300),
      await stage.client.enqueue(slowly, 300),
    ];
    await stage.until(running.id, ({ state }) => state === "leased");
    await worker.stop({ drain: "1h" });
    assert.equal((await stage.task(running.id)).state, "succeeded");
    assert.equal((await stage.task(next.id)).state, "waiting");
  });

  test("the store knows who works, and forgets who has stopped", async () => {
    await using stage = await Stage.open(open);
    const worker = await stage.work({ queues: { default: 3, slow: 2 } });
    const handle = await stage.client.enqueue(double, 1);
    await handle.result();
    const [known, ...others] = await stage.store.workers(3_600_000);
    assert.deepEqual([known?.id, known?.pid, known?.slots, others.length], [worker.id, process.pid, 5, 0]);
    assert.deepEqual([...(known?.queues ?? [])].sort(), ["default", "slow"]);
    assert.equal((await stage.task(handle.id)).worker, worker.id);
    await worker.stop();
    assert.deepEqual(await stage.store.workers(3_600_000), []);
  });

  test("a worker needs tasks, queues and slots", async () => {
    await using stage = await Stage.open(open);
    await assert.rejects(stage.work({ tasks: [] }), { code: "worker.no-tasks" });
    for (const queues of [{}, [], { default: 0 }, { default: 1.5 }]) {
      await assert.rejects(stage.work({ queues }), { code: "worker.queues" });
    }
  });
}
