import { LostError } from "../errors.ts";
import type { Claim, Json, Lease, Outcome, Store, TaskRecord } from "../store/contract.ts";
import { type Backoff, backoffDelay } from "./backoff.ts";
import { Bell } from "./bell.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { outcomeOfError, outcomeOfResult, type RetryPolicy } from "./outcome.ts";
import { Settler } from "./settler.ts";
import { takeOver } from "./take-over.ts";
import { CancelledError, StoppedError } from "./verdicts.ts";
import { ownWorkerId } from "./worker-id.ts";

export interface TaskContext {
  /**
   * Aborted when the task should end: its reason is a CancelledError, a StoppedError (the worker stops; throw, and
   * the task goes back in line) or a LostError (another worker has the task).
   */
  readonly signal: AbortSignal;
  /** The claim; its fence guards writes elsewhere. */
  readonly lease: Lease;
  /**
   * Stores how far the task is, durably, and forgives earlier crashes. Throws a LostError when another worker has
   * the task, and a TransientError when the store cannot be written just now.
   */
  progress(value: Json): Promise<void>;
}

/** The work of a task. What it returns is the result; what it throws decides what becomes of the task. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result is the usual one
export type Handler = (task: TaskRecord, context: TaskContext) => Promise<Json | void>;

export interface WorkerOptions {
  readonly store: Store;
  readonly queues: readonly string[];
  /** By the name of the task. */
  readonly handlers: Readonly<Record<string, Handler>>;
  /** How many tasks run at once. */
  readonly concurrency: number;
  /** How long a claim is good for without renewal; default 15,000 ms. */
  readonly leaseMs?: number;
  /** A task that takes so many workers down without progress becomes a dead letter; default 5. */
  readonly poisonAfter?: number;
  /** A task that fails so many times becomes a dead letter; default 10. */
  readonly maxFailures?: number;
  readonly backoff?: Backoff;
  /**
   * Told of what goes wrong outside the handlers: a store that cannot be reached, a task nobody has a handler for.
   * The worker goes on. Default: a process warning.
   */
  readonly onError?: (error: unknown) => void;
}

/** How often a worker looks for leases to take over, and at the queues should a wake-up have been missed. */
const LOOK_MS = 1_000;

/** A pause that keeps a queue whose next task somebody else is just claiming from being asked in a tight loop. */
const SHORTEST_PAUSE_MS = 20;

/** How long a stopping worker waits for its tasks before it asks them to stop. */
const DRAIN_MS = 10_000;

interface Running {
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/**
 * Claims tasks from queues and runs their handlers, until it is stopped. It holds no task in memory that the store
 * does not know of, so it may be killed at any moment: another worker takes over.
 */
export class Worker implements AsyncDisposable {
  /** The same for all workers of one process. */
  readonly id: string = ownWorkerId;
  readonly #options: WorkerOptions;
  readonly #leaseMs: number;
  readonly #poisonAfter: number;
  readonly #policy: RetryPolicy;
  readonly #keeper: LeaseKeeper;
  readonly #settler: Settler;
  readonly #bell = new Bell();
  readonly #running = new Map<string, Running>();
  readonly #stopAsked = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #nextSweep = 0;

  constructor(options: WorkerOptions) {
    const { leaseMs = 15_000, poisonAfter = 5, maxFailures = 10, backoff = {} } = options;
    this.#options = options;
    this.#leaseMs = leaseMs;
    this.#poisonAfter = poisonAfter;
    this.#policy = { maxFailures, backoff };
    this.#settler = new Settler(options.store, (error) => this.#report(error));
    this.#keeper = new LeaseKeeper(
      { location: options.store.location, leaseMs },
      {
        lost: (lease) => this.#abort(lease, new LostError("Another worker has taken the task over.")),
        cancelRequested: (lease) => this.#abort(lease, new CancelledError()),
        error: (error) => this.#report(error),
      },
    );
  }

  /** Begins to claim. The process stays alive until the worker is stopped. */
  start(): void {
    if (this.#stopping !== undefined) throw new Error("A stopped worker cannot be started again.");
    if (this.#loop !== undefined) return;
    this.#keeper.start();
    this.#loop = this.#work();
  }

  /**
   * Claims nothing more and waits for the running tasks: up to `drainMs` (default 10,000), then aborts their signals
   * and waits one lease longer. What still runs then is left to whoever takes it over when its lease runs out; its
   * late writes bounce.
   */
  stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#drain(options.drainMs ?? DRAIN_MS);
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #drain(drainMs: number): Promise<void> {
    this.#stopAsked.resolve();
    this.#bell.ring();
    const idle = (async () => {
      await this.#loop;
      await Promise.all([...this.#running.values()].map(({ done }) => done));
    })();
    if (!(await endsWithin(idle, drainMs))) {
      for (const { abort } of this.#running.values()) abort.abort(new StoppedError());
      await endsWithin(idle, this.#leaseMs);
    }
    this.#settler.abandon();
    await this.#keeper.stop();
  }

  async #work(): Promise<void> {
    const { store } = this.#options;
    const stopListening = store.wake(() => this.#bell.ring());
    await Promise.race([this.#keeper.ready, this.#stopAsked.promise]);
    let failures = 0;
    while (this.#stopping === undefined) {
      try {
        const pause = await this.#turn();
        failures = 0;
        await this.#bell.wait(pause);
      } catch (error) {
        this.#report(error);
        failures++;
        await this.#bell.wait(SHORTEST_PAUSE_MS + backoffDelay(failures, { baseMs: 200, capMs: 5_000 }));
      }
    }
    stopListening();
  }

  /** Takes over, claims as much as there is room for, and says how long there is nothing more to do. */
  async #turn(): Promise<number> {
    const { store, queues, concurrency } = this.#options;
    if (performance.now() >= this.#nextSweep) {
      await takeOver(store, queues, this.#poisonAfter);
      this.#nextSweep = performance.now() + LOOK_MS;
    }
    const room = concurrency - this.#running.size;
    if (room <= 0) return LOOK_MS;
    const claims = await store.claim({ queues, n: room, leaseMs: this.#leaseMs, worker: this.id });
    // All of them first: a handler that does not yield must not keep the others from being renewed.
    for (const claim of claims) this.#keeper.hold(claim);
    for (const claim of claims) this.#begin(claim);
    if (claims.length === room) return LOOK_MS;
    const due = await store.due(queues);
    // A lease that has run out is due as well, and is there for the next sweep.
    if (due === 0) this.#nextSweep = 0;
    return Math.max(SHORTEST_PAUSE_MS, Math.min(due ?? LOOK_MS, LOOK_MS));
  }

  #begin(claim: Claim): void {
    const key = keyOf(claim);
    const abort = new AbortController();
    const done = this.#handle(claim, abort).finally(() => {
      this.#keeper.drop(claim);
      this.#running.delete(key);
      this.#bell.ring();
    });
    this.#running.set(key, { abort, done });
    if (claim.task.cancelRequested) abort.abort(new CancelledError());
  }

  async #handle(claim: Claim, abort: AbortController): Promise<void> {
    const outcome = await this.#outcome(claim, abort);
    if (outcome !== undefined) await this.#settler.settle({ id: claim.id, fence: claim.fence, outcome });
  }

  async #outcome(claim: Claim, abort: AbortController): Promise<Outcome | undefined> {
    const { task, id, fence } = claim;
    // Claimed while the worker was asked to stop.
    if (this.#stopping !== undefined) return { state: "snoozed", delayMs: 0 };
    const { handlers } = this.#options;
    const handler = Object.hasOwn(handlers, task.name) ? handlers[task.name] : undefined;
    if (handler === undefined) {
      this.#report(new Error(`No handler is named ${task.name}: task ${id} is left for another worker.`));
      // Longer each time, so that a task nobody knows does not keep everybody busy.
      return { state: "snoozed", delayMs: backoffDelay(fence, { baseMs: 500, capMs: 60_000 }) };
    }
    const progress = async (value: Json) => {
      const { lost } = await this.#options.store.progress([{ id, fence, value }]);
      if (lost.length === 0) return;
      const error = new LostError(`Task ${id} has been taken over by another worker.`);
      abort.abort(error);
      throw error;
    };
    try {
      const result = await handler(task, { signal: abort.signal, lease: { id, fence }, progress });
      return outcomeOfResult(result ?? undefined);
    } catch (error) {
      return outcomeOfError(error, task, abort.signal, this.#policy);
    }
  }

  #abort(lease: Lease, reason: Error): void {
    this.#running.get(keyOf(lease))?.abort.abort(reason);
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError === undefined) process.emitWarning(error instanceof Error ? error : String(error));
    else onError(error);
  }
}

function keyOf(lease: Lease): string {
  return `${lease.fence}:${lease.id}`;
}

async function endsWithin(work: Promise<void>, ms: number): Promise<boolean> {
  if (ms <= 0) return false;
  const late = Promise.withResolvers<boolean>();
  // Longer than a timer can be set for means for ever.
  const timer = ms < 2 ** 31 ? setTimeout(late.resolve, ms, false) : undefined;
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
