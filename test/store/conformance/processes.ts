import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Current } from "../conformance.ts";
import { newTask } from "./tasks.ts";

const SCRIPT = new URL("./drain-process.ts", import.meta.url).pathname;

/** Processes that claim and settle until the queue is empty; each reports the ids it worked on. */
async function drain(location: string, count: number): Promise<string[][]> {
  const run = promisify(execFile);
  return await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const { stdout } = await run(process.execPath, [SCRIPT, location, `worker-${n}`], { maxBuffer: 1e7 });
      return JSON.parse(stdout) as string[];
    }),
  );
}

export function processes(current: Current): void {
  test("processes that claim from one queue never share a task and leave none", async () => {
    const { store } = current();
    const tasks = Array.from({ length: 600 }, (_, n) => newTask(`t${n}`, { priority: n % 3 }));
    await store.enqueue(tasks);
    const worked = (await drain(store.location, 4)).flat();
    assert.equal(worked.length, 600);
    assert.equal(new Set(worked).size, 600);
    assert.equal((await store.query({ queue: "q", states: ["succeeded"] })).length, 600);
    for (const task of await store.query({ queue: "q" })) {
      assert.deepEqual([task.fence, task.result], [1, task.worker]);
    }
  });
}
