import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Json, type NewTask, openStore, type Store, type TaskRecord } from "../../../src/store/index.ts";
import {
  type Definition,
  type InternalContext,
  internalTask,
  Worker,
  type WorkerOptions,
} from "../../../src/tasks/internal.ts";
import type { WorkerProcessOptions } from "./worker-process.ts";

const SCRIPT = new URL("./worker-process.ts", import.meta.url).pathname;

/** The work of a task, given the task as it was claimed. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result is the usual one
export type Handler = (task: TaskRecord, context: InternalContext) => Promise<Json | void>;

/** Tasks of these handlers, by name. */
export function tasksOf(
  handlers: Readonly<Record<string, Handler>>,
  policy?: Partial<Pick<Definition, "maxFailures" | "backoff">>,
): Definition[] {
  return Object.entries(handlers).map(([name, handler]) =>
    internalTask(name, (_, context) => handler(context.record, context), policy),
  );
}

/** A store of its own for one test, and the workers on it; all gone when the test ends. */
export class Scene {
  readonly store: Store;
  /** In the order of opening; the last opened is closed first. */
  readonly #cleanups: (() => Promise<void>)[] = [];

  constructor(store: Store) {
    this.store = store;
  }

  static async open(test: TestContext): Promise<Scene> {
    const folder = await mkdtemp(join(tmpdir(), "pawl-tasks-"));
    const store = await openStore(join(folder, "state.db"));
    const scene = new Scene(store);
    scene.#cleanups.push(
      () => rm(folder, { recursive: true }),
      () => store.close(),
    );
    test.after(async () => {
      for (const cleanup of scene.#cleanups.reverse()) await cleanup();
    });
    return scene;
  }

  async enqueue(name: string, more: Partial<NewTask> = {}): Promise<void> {
    await this.store.enqueue([{ id: "t", queue: "q", name, payload: null, ...more }]);
  }

  async task(id = "t"): Promise<TaskRecord> {
    const [task] = await this.store.query({ ids: [id] });
    if (task === undefined) throw new Error(`There is no task ${id}.`);
    return task;
  }

  /** The task once it satisfies a condition; the test runner's time limit is the only one. */
  async until(condition: (task: TaskRecord) => boolean, id = "t"): Promise<TaskRecord> {
    for (;;) {
      const task = await this.task(id);
      if (condition(task)) return task;
      await sleep(10);
    }
  }

  /** A worker in the test's own process. */
  work(
    handlers: Record<string, Handler>,
    { maxFailures = 10, ...more }: Partial<WorkerOptions> & { readonly maxFailures?: number } = {},
  ): Worker {
    const worker = new Worker({
      store: this.store,
      queues: ["q"],
      tasks: tasksOf(handlers, { maxFailures, backoff: { baseMs: 5, capMs: 20 } }),
      concurrency: 2,
      ...more,
    });
    this.#cleanups.push(() => worker.stop({ drainMs: 0 }));
    worker.start();
    return worker;
  }

  /** A worker in a process of its own. */
  spawn(leaseMs: number): WorkerProcess {
    const options: WorkerProcessOptions = { location: this.store.location, leaseMs };
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const started = new WorkerProcess(child, this.store.location);
    this.#cleanups.push(() => started.kill());
    return started;
  }
}

export class WorkerProcess {
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #location: string;
  readonly #lines: string[] = [];
  #heard = Promise.withResolvers<void>();

  constructor(child: ChildProcess, location: string) {
    this.#child = child;
    this.#location = location;
    this.exited = new Promise((resolve) => child.once("exit", () => resolve()));
    if (child.stdout === null) throw new Error("The process has no output.");
    createInterface(child.stdout).on("line", (line) => {
      this.#lines.push(line);
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    });
  }

  /** What the process said after `word`, once it has. */
  async said(word: string): Promise<string> {
    for (;;) {
      const line = this.#lines.find((said) => said.split(" ")[0] === word);
      if (line !== undefined) return line.slice(word.length + 1);
      await this.#heard.promise;
    }
  }

  /**
   * Suspends the process at a moment when it is not writing to the store: SQLite has no way to take the lock of a
   * file from a suspended process, so everybody else would wait until it goes on.
   */
  async suspend(): Promise<void> {
    const database = new DatabaseSync(this.#location, { timeout: 100 });
    try {
      for (;;) {
        this.#child.kill("SIGSTOP");
        try {
          database.exec("BEGIN IMMEDIATE; ROLLBACK");
          return;
        } catch {
          this.resume();
          await sleep(7);
        }
      }
    } finally {
      database.close();
    }
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }
}
