/** A task from its enqueueing to its result, with a worker that waits for it in the same process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startWorker, task, useStore } from "../../src/tasks/index.ts";
import { filesCalled } from "./coverage.ts";
import { pathOf, printPath } from "./windows.ts";

const TASKS = 60;
/** The first tasks find nothing prepared: statements, the watcher, the thread that renews leases. */
const WARM_UP = 10;
const folder = await mkdtemp(join(tmpdir(), "pawl-trace-"));
useStore(join(folder, "store.db"));
const double = task({ name: "double" }, async (n: number) => n * 2);
const windows: Set<string>[] = [];
try {
  await using worker = await startWorker({ tasks: [double] });
  for (let round = 0; round < TASKS; round++) {
    // Between two tasks the worker comes to rest, and what it does then belongs to no window.
    await sleep(20 + 5 * Math.random());
    filesCalled();
    const handle = await double.enqueue(round);
    const result = await handle.result();
    const called = new Set(filesCalled());
    if (result !== round * 2) throw new Error(`The task gave ${String(result)}.`);
    if (round >= WARM_UP) windows.push(called);
  }
  await worker.stop();
} finally {
  await rm(folder, { recursive: true, force: true });
}
printPath(
  "a task from enqueue to settled, SQLite",
  `A window goes from the call of enqueue to the result, with a worker of the same process that is at rest before: ${windows.length} tasks, one at a time, in the thread of both.`,
  pathOf(windows),
);
process.exit();
