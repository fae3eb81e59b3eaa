import { availableParallelism } from "node:os";
import { assertOptions, type OptionNames } from "../../arguments.ts";
import { type Duration, milliseconds, optionalMilliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { bytes, type Size } from "../../sizes.ts";
import type { Store } from "../../store/contract.ts";
import type { ChildPool } from "../attempt/child-pool.ts";
import { catchUnhandledErrors } from "../attempt/unhandled-errors.ts";
import { connect } from "../client/client.ts";
import { defaultClient } from "../client/default-client.ts";
import type { AnyTask, Definition } from "../contract.ts";
import { assertNotLoading, knownTasks } from "../define/registry.ts";
import { tickSchedules } from "../schedule/ticker.ts";
import { prune } from "./prune-loop.ts";
import type { Queues } from "./slot-group.ts";
import { POISON_AFTER, reporting, Worker, type WorkerHealth } from "./worker.ts";

/** Which tasks a worker runs, how many of them at once, and its limits. */
export interface StartOptions {
  /**
   * An open store, or its location.
   * @default the store of the program, see `useStore`
   */
  readonly store?: Store | string;
  /**
   * The tasks that it runs.
   * @default every task that was defined in this program
   */
  readonly tasks?: readonly AnyTask[];
  /**
   * The number of slots of each queue, or names of queues that share one slot for each core. A slot runs one task at a time.
   * @default the queues of the tasks, each with one slot for each core
   */
  readonly queues?: Queues;
  /**
   * URLs of the modules in which children find tasks without the option `module`.
   * @default none
   */
  readonly modules?: readonly string[];
  /**
   * How many tasks are claimed ahead of a free slot, for each queue: more throughput for many small tasks.
   * @default 0
   */
  readonly prefetch?: number;
  /**
   * A child is replaced after this number of tasks.
   * @default no limit
   */
  readonly maxTasks?: number;
  /**
   * A child that uses more memory is replaced between two tasks.
   * @default no limit
   */
  readonly maxMemory?: Size;
  /**
   * How long a claim is valid without renewal: after this time another worker takes over the tasks of one that died on
   * another machine. Between 100 ms and one day.
   * @default "15s"
   */
  readonly lease?: Duration;
  /**
   * A task of which this number of workers or children died, without progress in between, becomes a dead letter.
   * @default 5
   */
  readonly poisonAfter?: number;
  /**
   * Called with errors outside of tasks, such as a store that cannot be reached; the worker continues.
   * @default a process warning
   */
  readonly onError?: (error: unknown) => void;
}

const OPTIONS: OptionNames<StartOptions> = {
  store: true,
  tasks: true,
  queues: true,
  modules: true,
  prefetch: true,
  maxTasks: true,
  maxMemory: true,
  lease: true,
  poisonAfter: true,
  onError: true,
};

/** How long running tasks may continue when a worker stops. */
export interface DrainOptions {
  /**
   * How long running tasks may continue before their signals abort.
   * @default "10s"
   */
  readonly drain?: Duration;
  /**
   * How long they may take after that until they are handed back to their queues while they still run: for a process that
   * ends right then.
   * @default they are not handed back; the worker waits for the time of one lease
   */
  readonly handBack?: Duration;
}

/**
 * A running worker, with its children. It also fires schedules and removes tasks whose retention is over.
 *
 * @example
 * ```ts
 * task({ name: "greet" }, (name: string) => `Hello, ${name}`);
 * await using worker: RunningWorker = await startWorker();
 * console.log(worker.describe(), worker.health().sinceTryMs < 10_000 ? "live" : "stuck");
 * ```
 */
export class RunningWorker implements AsyncDisposable {
  /** Its id in the store, the same for all workers of a process. */
  readonly id: string;
  readonly #worker: Worker;
  readonly #end: () => Promise<void>;
  #stopping: Promise<void> | undefined;

  /** For `startWorker`, which makes it. */
  constructor(worker: Worker, end: () => Promise<void>) {
    this.id = worker.id;
    this.#worker = worker;
    this.#end = end;
  }

  /** Its queues and their slots as a text, such as `"heavy (4 at once)"`. */
  describe(): string {
    return this.#worker.describe();
  }

  /** Ids of the running tasks. */
  running(): string[] {
    return this.#worker.running();
  }

  /**
   * Its health. A healthy worker asks its store for tasks about every second at least, and after errors with pauses of up to
   * five seconds.
   */
  health(): WorkerHealth {
    return this.#worker.health();
  }

  /**
   * Stops: claims nothing more, lets running tasks continue for `drain`, then aborts their signals and waits, and ends the
   * children. Later calls return the promise of the first.
   *
   * @throws PawlError `argument.duration` for a time that is not a duration
   */
  stop(options: DrainOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  /** Stops the worker as `stop` does, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop({ drain, handBack }: DrainOptions): Promise<void> {
    const drainMs = optionalMilliseconds(drain, "The drain of a worker");
    const handBackMs = optionalMilliseconds(handBack, "The handBack of a worker");
    await this.#worker.stop({
      ...(drainMs === undefined ? {} : { drainMs }),
      ...(handBackMs === undefined ? {} : { handBackMs }),
    });
    await this.#end();
  }
}

/**
 * Starts a worker in this program: it runs tasks until it is stopped, and keeps the process alive.
 *
 * @throws PawlError `worker.no-tasks` where no task is defined, `worker.no-module` where a child could not find a task,
 *   `worker.queues` and `worker.option` for options that are not right, `worker.unguarded-main` in a module that a child imports, and
 *   as `openStore`
 * @throws TransientError when the store may be opened later
 * @example
 * ```ts
 * task({ name: "greet" }, (name: string) => `Hello, ${name}`);
 * const worker = await startWorker({ queues: { default: 4 } });
 * process.once("SIGTERM", () => worker.stop({ drain: "30s" }));
 * ```
 */
export async function startWorker(options: StartOptions = {}): Promise<RunningWorker> {
  assertNotLoading();
  assertOptions(options, OPTIONS, "startWorker");
  const tasks = (options.tasks ?? knownTasks()).map(({ definition }) => definition);
  if (tasks.length === 0) {
    throw new PawlError(
      "worker.no-tasks",
      "There is no task to run: define it with task(), and import its module first.",
    );
  }
  const modules = modulesOf(tasks, options.modules ?? []);
  const report = reporting(options.onError);
  const { poisonAfter = POISON_AFTER, maxTasks } = options;
  const maxMemory =
    options.maxMemory === undefined ? null : bytes(options.maxMemory, "The maxMemory of a worker");
  const client = options.store === undefined ? defaultClient() : connect(options.store);
  const store = await client.store();
  const children = new Map<string, ChildPool>();
  // Most tasks need no child, nor the memory that the code for one takes.
  const code = tasks.every(({ isolate }) => isolate === "none")
    ? null
    : await import("../attempt/child-pool.ts");
  const rates = tasks.flatMap(({ rate }) => (rate === null ? [] : [rate]));
  const worker = new Worker({
    store,
    queues: options.queues ?? queuesOf(tasks),
    client,
    tasks,
    childrenOf: (isolate) => {
      const known = children.get(isolate);
      if (known !== undefined) return known;
      if (code === null) throw new Error(`No task was known to need a ${isolate}.`);
      const made = new code.ChildPool({
        isolate,
        setup: { modules, address: store.address },
        children: worker.slots,
        maxTasks: maxTasks ?? null,
        maxMemory,
      });
      children.set(isolate, made);
      return made;
    },
    poisonAfter,
    prefetch: options.prefetch ?? 0,
    ...(rates.length === 0 ? {} : { buckets: rates }),
    ...(options.lease === undefined ? {} : { leaseMs: milliseconds(options.lease, "The lease of a worker") }),
    onError: report,
  });
  const stopWatching = catchUnhandledErrors();
  worker.start();
  const ended = new AbortController();
  const chores = [prune(store, ended.signal, report), tickSchedules(store, ended.signal, report)];
  return new RunningWorker(worker, async () => {
    ended.abort();
    await Promise.all([...chores, ...[...children.values()].map((each) => each.end())]);
    stopWatching();
    if (options.store !== undefined) await client.close();
  });
}

/** One slot a core for each queue. */
function queuesOf(tasks: readonly Definition[]): Record<string, number> {
  return Object.fromEntries(tasks.map(({ queue }) => [queue, availableParallelism()]));
}

/** Where children find their tasks. */
function modulesOf(tasks: readonly Definition[], given: readonly string[]): string[] {
  const lost = tasks.find(({ isolate, module }) => isolate !== "none" && module === null);
  if (lost !== undefined && given.length === 0) {
    throw new PawlError(
      "worker.no-module",
      `Task "${lost.name}" runs in a child, which has to import it: write module: import.meta in its definition.`,
    );
  }
  const own = tasks.flatMap(({ isolate, module }) => (isolate === "none" || module === null ? [] : [module]));
  return [...new Set([...own, ...(lost === undefined ? [] : given)])];
}
