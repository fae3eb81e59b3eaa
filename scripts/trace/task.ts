/** A task from its enqueueing to its result, with a worker that waits for it in the same process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startWorker, task, useStore } from "../../src/tasks/index.ts";
import { calledSince, inMost, print } from "./windows.ts";

const folder = await mkdtemp(join(tmpdir(), "pawl-trace-"));
useStore(join(folder, "store.db"));
const double = task({ name: "double" }, async (n: number) => n * 2);
const windows: Set<string>[] = [];
try {
  await using worker = await startWorker({ tasks: [double] });
  for (let round = 0; round < 6; round++) {
    await calledSince();
    const handle = await double.enqueue(round);
    const result = await handle.result();
    const called = await calledSince();
    if (result !== round * 2) throw new Error(`The task gave ${String(result)}.`);
    if (round > 0) windows.push(called);
  }
  await worker.stop();
} finally {
  await rm(folder, { recursive: true, force: true });
}
print("a task from enqueue to settled, SQLite", inMost(windows));
process.exit();
