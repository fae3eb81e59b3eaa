import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chain, chord } from "../../../src/tasks/index.ts";
import { randomFrom, seed } from "../../random.ts";
import { counts, deaf, double, notes, sleepsInChild, slowly } from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "./stage.ts";
import { WorkerCommand } from "./worker-command.ts";

/** Workers as processes, that are killed or give up what they run. */
export function killing(open: OpenPlace): void {
  test("a chord survives the death of its workers, and its callback runs to its end once", async (t) => {
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    await using stage = await Stage.open(open);
    const file = join(stage.folder, "runs");
    const members = Array.from({ length: 100 }, (_, n) => {
      const link = notes.with({ file, line: `m${n}`, ms: Math.floor(random() * 30) });
      return n % 10 === 0 ? chain(link, notes.with({ file, line: `n${n}` })) : link;
    });
    const handle = await stage.client.enqueueFlow(chain(chord(members, counts), double));
    const begin = () => new WorkerCommand(stage.address, "--queues", "default:4");
    const workers = [begin(), begin()];
    try {
      for (let kills = 0; kills < 4; kills++) {
        await Promise.all(workers.map((worker) => worker.ready()));
        await sleep(random() * 400);
        const victim = Math.floor(random() * workers.length);
        await workers[victim]?.[Symbol.asyncDispose]();
        workers[victim] = begin();
      }
      assert.equal(await handle.result(), 200);
    } finally {
      for (const worker of workers) await worker[Symbol.asyncDispose]();
    }
    const tasks = await stage.store.query({ flow: handle.id });
    assert.equal(tasks.length, 100 + 10 + 2);
    for (const task of tasks) {
      assert.equal(task.state, "succeeded", task.id);
      // No failure; each claim but the last was a crash.
      assert.deepEqual([task.failures, task.fence], [0, task.crashes + 1], task.id);
    }
    const runs = (await readFile(file, "utf8")).trimEnd().split("\n");
    const claims = tasks.filter(({ name }) => name === "notes").reduce((sum, { fence }) => sum + fence, 0);
    assert.ok(runs.length >= 110 && runs.length <= claims, `${runs.length} runs of ${claims} claims`);
    assert.equal(new Set(runs).size, runs.length, "the same attempt ran twice");
  });

  test("SIGTERM hands back at once what does not end in time, though it does not listen", async () => {
    await using stage = await Stage.open(open);
    await using worker = new WorkerCommand(stage.address, "--queues", "default:2", "--drain", "10ms");
    const handle = await stage.client.enqueue(deaf, 3_600_000);
    await stage.until(handle.id, ({ state }) => state === "leased");
    worker.signal("SIGTERM");
    assert.deepEqual(await worker.exited, { code: 0, signal: null });
    const task = await stage.task(handle.id);
    assert.deepEqual([task.state, task.failures, task.crashes], ["waiting", 0, 0]);
  });
}

/** Workers as processes, that are told to stop or cannot begin. */
export function stopping(open: OpenPlace): void {
  test("SIGTERM lets tasks end within the drain time", async () => {
    await using stage = await Stage.open(open);
    await using worker = new WorkerCommand(stage.address, "--queues", "slow:2", "--drain", "10m");
    const handle = await stage.client.enqueue(slowly, 1_000);
    await stage.until(handle.id, ({ state }) => state === "leased");
    worker.signal("SIGTERM");
    assert.deepEqual(await worker.exited, { code: 0, signal: null });
    assert.match(
      worker.said,
      /^worker \S+ takes tasks from slow \(2 at once\)\nSIGTERM: takes no more tasks/,
    );
    assert.equal((await stage.task(handle.id)).state, "succeeded");
    assert.deepEqual(await stage.store.workers(3_600_000), []);
  });

  test("SIGTERM to a whole process group does not cost the children their tasks", async () => {
    await using stage = await Stage.open(open);
    await using worker = new WorkerCommand(stage.address, "--queues", "default:2", "--drain", "10m");
    const handle = await stage.client.enqueue(sleepsInChild, 1_500);
    await stage.until(handle.id, ({ progress }) => progress !== null);
    worker.signalGroup("SIGTERM");
    assert.deepEqual(await worker.exited, { code: 0, signal: null });
    const task = await stage.task(handle.id);
    assert.deepEqual([task.state, task.fence, task.crashes], ["succeeded", 1, 0]);
  });

  test("a command that cannot work says so in one sentence", async () => {
    await using stage = await Stage.open(open);
    for (const [flags, sentence] of [
      [["--queues", "default:none"], /^pawl: --queues takes a whole number of at least 1, not "none"\.\n$/],
      [["--drain", "long"], /^pawl: --drain takes a duration such as 30s or 10m, not "long"\.\n$/],
      [["no-such-module.ts"], /^pawl: The module no-such-module\.ts does not exist: check the path\.\n$/],
    ] as const) {
      await using worker = new WorkerCommand(stage.address, ...flags);
      assert.deepEqual(await worker.exited, { code: 2, signal: null });
      assert.match(worker.said, sentence);
    }
  });
}
