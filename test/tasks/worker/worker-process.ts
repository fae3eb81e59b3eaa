/**
 * A worker process for tests. Started with its options as JSON; prints a line for each thing that happens, and stops
 * when its input ends.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openStore } from "../../../src/store/index.ts";
import { LostError } from "../../../src/tasks/index.ts";
import { Worker } from "../../../src/tasks/internal.ts";
import { type Handler, tasksOf } from "./scene.ts";

export interface WorkerProcessOptions {
  readonly location: string;
  readonly leaseMs: number;
}

function say(...words: unknown[]): void {
  process.stdout.write(`${words.join(" ")}\n`);
}

const handlers: Record<string, Handler> = {
  /** Never yields to the event loop. */
  async busy(task) {
    say("started", task.id);
    const end = performance.now() + Number(task.payload);
    while (performance.now() < end);
    return "busy";
  },
  /** Works until another worker has the task. */
  async steady(task, { saveProgress }) {
    say("started", task.id);
    try {
      for (let n = 0; ; n++) {
        await saveProgress(n);
        await sleep(20);
      }
    } catch (error) {
      say(error instanceof LostError ? "bounced" : `failed ${error}`);
      throw error;
    }
  },
  /** Returns as soon as it learns that it should not. */
  async late(task, { signal }) {
    say("started", task.id);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    say("aborted", signal.reason.name);
    return "late";
  },
  async crash() {
    process.kill(process.pid, "SIGKILL");
    await sleep(60_000);
  },
  async quick() {
    return process.pid;
  },
};

const { location, leaseMs } = JSON.parse(process.argv[2] ?? "") as WorkerProcessOptions;
const store = await openStore(location);
const worker = new Worker({ store, queues: ["q"], tasks: tasksOf(handlers), concurrency: 1, leaseMs });
say("worker", worker.id);
worker.start();
for await (const _ of process.stdin);
await worker.stop({ drainMs: 0 });
await store.close();
