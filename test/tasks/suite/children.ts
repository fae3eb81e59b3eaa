import assert from "node:assert/strict";
import { test } from "node:test";
import {
  add,
  busyChild,
  diesInChild,
  endless,
  inThread,
  pidOf,
  softChild,
  softThread,
  stubborn,
} from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";

export type Endless = "loop" | "regex" | "native" | "leak";

/** What attempts in children leave in the store. */
export function childrenByStore(open: OpenPlace): void {
  test("a child reports progress, writes its log and enqueues like anyone", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(busyChild, 21);
    const { pid, child, id } = await handle.result();
    assert.notEqual(pid, process.pid);
    assert.equal(id, handle.id);
    assert.deepEqual((await handle.status())?.progress, { current: 1, total: 2, note: "in a child" });
    const [attempt] = await stage.store.attempts(handle.id);
    assert.match(attempt?.log ?? "", /line from a child/);
    assert.equal(await stage.client.handle(child).result(), 42);
  });

  test("a child that dies is a crash and no failure, and too many are poison", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ poisonAfter: 3 });
    const survives = await stage.client.enqueue(diesInChild, 2);
    assert.equal(await survives.result(), 3);
    const task = await stage.task(survives.id);
    assert.deepEqual([task.failures, task.crashes], [0, 2]);
    const attempts = await stage.store.attempts(survives.id);
    assert.deepEqual(
      attempts.map(({ result }) => result),
      ["crashed", "crashed", "succeeded"],
    );
    assert.match(attempts[0]?.error ?? "", /code 3/);
    assert.match(attempts[0]?.log ?? "", /goes 1/);
    const poison = await stage.client.enqueue(diesInChild, 99);
    await assert.rejects(poison.result(), /[Pp]oison/);
    assert.equal((await stage.task(poison.id)).fence, 3);
  });

  test("a worker that stops ends its children and hands back what they ran", async () => {
    await using stage = await Stage.open(open);
    const worker = await stage.work();
    const handle = await stage.client.enqueue(stubborn, null);
    await stage.until(handle.id, ({ progress }) => progress !== null);
    await worker.stop({ drain: 0 });
    const task = await stage.task(handle.id);
    assert.deepEqual([task.state, task.failures, task.crashes], ["waiting", 0, 0]);
  });
}

/** Limits that hold in children, and how children are ended. */
export function children(open: OpenPlace, ways: readonly Endless[]): void {
  if (ways.length > 0)
    test(`a hard limit ends tasks that will not end: ${ways.join(", ")}`, async () => {
      await using stage = await Stage.open(open);
      await stage.work({ queues: { default: 2 * ways.length } });
      const handles = [];
      for (const way of ways) handles.push(await stage.client.enqueue(endless, way));
      // Their neighbours are unharmed, in children and here.
      const neighbours = [await stage.client.enqueue(pidOf), await stage.client.enqueue(pidOf)];
      const here = await stage.client.enqueue(add, { a: 1 });
      for (const [at, handle] of handles.entries()) {
        await assert.rejects(handle.result(), /hard limit of 1\.5 s, and its child was killed/);
        const task = await stage.task(handle.id);
        assert.deepEqual([task.state, task.failures, task.crashes], ["dead", 1, 0]);
        // What it wrote before it was killed is there.
        const [attempt] = await stage.store.attempts(handle.id);
        assert.match(attempt?.log ?? "", new RegExp(`begins ${ways[at]}`));
      }
      for (const neighbour of neighbours) assert.notEqual(await neighbour.result(), process.pid);
      assert.equal(await here.result(), 2);
      for (const neighbour of neighbours) assert.equal((await stage.task(neighbour.id)).fence, 1);
    });

  test("a thread is held to its limit as well", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    assert.equal(await (await stage.client.enqueue(inThread, 5)).result(), 5);
    await assert.rejects((await stage.client.enqueue(inThread, 3_600_000)).result(), /hard limit/);
  });

  test("a soft limit reaches a child", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    await assert.rejects((await stage.client.enqueue(softChild, null)).result(), /soft limit of 50 ms/);
    await assert.rejects((await stage.client.enqueue(softThread, true)).result(), /soft limit of 50 ms/);
    assert.equal(await (await stage.client.enqueue(softThread, false)).result(), "finished");
  });

  test("a cancelled child that does not listen is killed", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ lease: "900ms" });
    const handle = await stage.client.enqueue(stubborn, null);
    await stage.until(handle.id, ({ progress }) => progress !== null);
    await handle.cancel();
    await assert.rejects(handle.result(), { code: "task.cancelled" });
  });

  test("children are replaced after so many tasks", async () => {
    await using stage = await Stage.open(open);
    await stage.work({ queues: { default: 1 }, maxTasks: 2 });
    const pids: number[] = [];
    for (let n = 0; n < 5; n++) pids.push(await (await stage.client.enqueue(pidOf)).result());
    assert.equal(new Set(pids).size, 3);
    assert.equal(pids[0], pids[1]);
    assert.equal(pids[2], pids[3]);
  });
}
