import { availableParallelism } from "node:os";
import { assertObject } from "../../arguments.ts";
import { type Duration, milliseconds, optionalMilliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import type { Store } from "../../store/contract.ts";
import type { Children } from "../attempt/children.ts";
import { catchUnhandledErrors } from "../attempt/unhandled-errors.ts";
import { connect } from "../client/client.ts";
import { defaultClient } from "../client/default-client.ts";
import type { AnyTask, Definition } from "../contract.ts";
import { assertNotLoading, knownTasks } from "../define/registry.ts";
import { tickSchedules } from "../schedule/ticker.ts";
import { prune } from "./prune.ts";
import type { Queues } from "./slot-group.ts";
import { POISON_AFTER, reporting, Worker, type WorkerHealth } from "./worker.ts";

/** What a worker runs, how much of it at once, and its limits. */
export interface StartOptions {
  /** An open store, or where it is. Default: that of the program, see `useStore`. */
  readonly store?: Store | string;
  /** Default: every task that was defined in this program. */
  readonly tasks?: readonly AnyTask[];
  /** Slots of each queue, or queues that share one slot a core. Default: the queues of the tasks. */
  readonly queues?: Queues;
  /** Modules in which children find the tasks that do not name their own. */
  readonly modules?: readonly string[];
  /** Tasks that are claimed ahead for each queue; for many small ones. Default 0. */
  readonly prefetch?: number;
  /** A child is replaced after so many tasks. */
  readonly maxTasks?: number;
  /** A child that uses more bytes is replaced between two tasks. */
  readonly maxMemory?: number;
  /** How long a claim is good for without renewal; `15s`. */
  readonly lease?: Duration;
  /** A task that takes so many workers or children down without progress becomes a dead letter; 5. */
  readonly poisonAfter?: number;
  /** Told of what goes wrong outside the tasks; the worker goes on. Default: a process warning. */
  readonly onError?: (error: unknown) => void;
}

/** How long running tasks may continue when a worker stops. */
export interface DrainOptions {
  /** How long running tasks may go on; `10s`. Then their signals abort. */
  readonly drain?: Duration;
  /**
   * How long they may take after that until they are handed back while they still run; by default one lease, and they
   * are not.
   */
  readonly handBack?: Duration;
}

/** A worker that runs, and what goes with it: its children, the schedules, the cleaning up. */
export class RunningWorker implements AsyncDisposable {
  /** The id under which the store knows it. */
  readonly id: string;
  readonly #worker: Worker;
  readonly #end: () => Promise<void>;
  #stopping: Promise<void> | undefined;

  /** For `startWorker`. */
  constructor(worker: Worker, end: () => Promise<void>) {
    this.id = worker.id;
    this.#worker = worker;
    this.#end = end;
  }

  /** Its queues and their slots, for people. */
  describe(): string {
    return this.#worker.describe();
  }

  /** Ids of the running tasks. */
  running(): string[] {
    return this.#worker.running();
  }

  /**
   * How it is: a worker that is well asks its store for tasks at least every second or so, with short pauses after
   * errors.
   */
  health(): WorkerHealth {
    return this.#worker.health();
  }

  /** Claims nothing more, lets running tasks end for a while, then asks them to stop, and ends their children. */
  stop(options: DrainOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

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
 * Starts to run tasks in this program, until it is stopped. Throws a PawlError when there are no tasks, when a task
 * that needs a child cannot be found by one, and when the store cannot be opened.
 */
export async function startWorker(options: StartOptions = {}): Promise<RunningWorker> {
  assertNotLoading();
  assertObject(options, "The options of startWorker");
  const tasks = (options.tasks ?? knownTasks()).map(({ definition }) => definition);
  if (tasks.length === 0) {
    throw new PawlError(
      "worker.no-tasks",
      "There is no task to run: define it with task(), and import its module first.",
    );
  }
  const modules = modulesOf(tasks, options.modules ?? []);
  const report = reporting(options.onError);
  const { poisonAfter = POISON_AFTER, maxTasks, maxMemory } = options;
  const client = options.store === undefined ? defaultClient() : connect(options.store);
  const store = await client.store();
  const children = new Map<string, Children>();
  // Most tasks need no child, nor the memory that the code for one takes.
  const code = tasks.every(({ isolate }) => isolate === "none")
    ? null
    : await import("../attempt/children.ts");
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
      const made = new code.Children({
        isolate,
        setup: { modules, address: store.address },
        children: worker.slots,
        maxTasks: maxTasks ?? null,
        maxMemory: maxMemory ?? null,
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
