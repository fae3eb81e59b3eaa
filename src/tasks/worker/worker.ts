import { setTimeout as sleep } from "node:timers/promises";
import { assertMethods, assertObject, shown } from "../../arguments.ts";
import { asError } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { backoffDelay } from "../../retry.ts";
import type { BucketRate, Claim, Lease, Store } from "../../store/contract.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { Runner, type RunnerOptions } from "../attempt/attempt.ts";
import { StoppedError } from "../attempt/errors.ts";
import { Client } from "../client/client.ts";
import type { Definition } from "../contract.ts";
import { WakeUpSignal } from "../wake-up-signal.ts";
import { HeartbeatSender, type WorkerReport } from "./heartbeat.ts";
import { HeldAttempts } from "./held-attempts.ts";
import { rescueOrphans } from "./orphan-rescue.ts";
import { type Queues, SlotGroup, slotGroupsOf } from "./slot-group.ts";
import { ownWorkerId } from "./worker-id.ts";

export interface WorkerOptions {
  readonly store: Store;
  /** Queues that share `concurrency` slots, or each with slots of its own. */
  readonly queues: Queues;
  readonly tasks: readonly Definition[];
  /** The client that attempts enqueue with; default: one of the store. */
  readonly client?: Client;
  /** The children of a kind; needed for tasks that are isolated. */
  readonly childrenOf?: RunnerOptions["childrenOf"];
  /** How many tasks run at once; default one a core. */
  readonly concurrency?: number;
  /** Tasks that are claimed ahead of a free slot, for each group; default 0. */
  readonly prefetch?: number;
  /** Rate-limit buckets of which tasks are claimed as well. */
  readonly buckets?: readonly BucketRate[];
  /** How long a claim is good for without renewal; default 15,000 ms. */
  readonly leaseMs?: number;
  /** A task that takes so many workers down without progress becomes a dead letter; default 5. */
  readonly poisonAfter?: number;
  /**
   * Called with errors outside of handlers: a store that cannot be reached, a task without a handler here. The worker
   * continues. Default: a process warning.
   */
  readonly onError?: (error: unknown) => void;
}

export interface StopOptions {
  /** How long running tasks may continue before their signals abort; default 10,000 ms. */
  readonly drainMs?: number;
  /**
   * How long they may take after that, in ms, until they are handed back while they still run: for a process that ends
   * right then. Without it they have one lease, and are left to the worker that takes them over.
   */
  readonly handBackMs?: number;
}

/** The health of a worker, for a supervisor that restarts its process. */
export interface WorkerHealth {
  /** Milliseconds since it last began to ask its store for tasks, whether or not the store answered. */
  readonly sinceTryMs: number;
  /** Milliseconds since its store last answered that; `Infinity` before the first time. */
  readonly sinceClaimMs: number;
  /** It has been asked to stop, and claims nothing more. */
  readonly stopping: boolean;
}

/** A task that takes so many workers down without progress becomes a dead letter. */
export const POISON_AFTER = 5;

/** How often a worker looks for expired leases, and asks the queues in case a notification was lost. */
const POLL_MS = 1_000;

/**
 * The shortest pause: without it, a queue whose next task another worker is just claiming would be asked in a tight
 * loop.
 */
const SHORTEST_PAUSE_MS = 20;

/** How long a stopping worker waits for its tasks before it asks them to stop. */
const DRAIN_MS = 10_000;

/**
 * For how long after a task without a handler here an idle worker lets others claim first, and its longest pause for
 * that.
 */
const BACK_OFF_MS = 60_000;
const LONGEST_BACK_OFF_MS = 200;

/**
 * Claims tasks from queues and runs their handlers, until it is stopped. It holds no task in memory that the store
 * does not know of, so it may be killed at any moment: another worker takes over.
 */
export class Worker implements AsyncDisposable, WorkerReport {
  /** The same for all workers of one process. */
  readonly id: string = ownWorkerId;
  readonly queues: readonly string[];
  readonly slots: number;
  readonly #options: WorkerOptions;
  readonly #leaseMs: number;
  readonly #poisonAfter: number;
  readonly #groups: readonly SlotGroup[];
  readonly #attempts: HeldAttempts;
  readonly #wakeUp = new WakeUpSignal();
  readonly #stopAsked = Promise.withResolvers<void>();
  #heartbeat: HeartbeatSender | undefined;
  #loop: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #nextSweep = 0;
  /** When the loop last began a turn; undefined while it waits for the thread that renews leases, which asks the store first. */
  #triedAt: number | undefined;
  #claimedAt = Number.NEGATIVE_INFINITY;
  readonly #report: (error: unknown) => void;

  constructor(options: WorkerOptions) {
    assertObject(options, "The options of a Worker");
    assertMethods(options.store, "claim", "A Worker needs an open store");
    const { store, leaseMs = 15_000, prefetch = 0, buckets } = options;
    const { poisonAfter = POISON_AFTER, client = new Client(store), tasks, childrenOf } = options;
    assertOption(
      "lease",
      leaseMs,
      "milliseconds from 100 to 86400000",
      typeof leaseMs === "number" && leaseMs >= 100 && leaseMs <= 86_400_000,
    );
    assertOption("prefetch", prefetch, "a whole number of at least 0", isCount(prefetch, 0));
    assertOption("poisonAfter", poisonAfter, "a whole number of at least 1", isCount(poisonAfter, 1));
    this.#options = options;
    this.#leaseMs = leaseMs;
    this.#poisonAfter = poisonAfter;
    const groups = slotGroupsOf(options.queues, options.concurrency);
    this.queues = groups.flatMap(({ queues }) => queues);
    this.slots = groups.reduce((sum, { slots }) => sum + slots, 0);
    const wakeUp = this.#wakeUp;
    const report = reporting(options.onError);
    this.#report = report;
    const runner = new Runner({
      client,
      tasks,
      ...(childrenOf === undefined ? {} : { childrenOf }),
      poisonAfter,
      report,
    });
    const withdraw = (lease: Lease) => this.#withdraw(lease);
    const attempts = new HeldAttempts({ store, leaseMs, runner, wakeUp, withdraw, report });
    this.#attempts = attempts;
    const claiming = { store, worker: this.id, leaseMs, prefetch, buckets, attempts, wakeUp, report };
    this.#groups = groups.map((group) => new SlotGroup(group, claiming));
  }

  /** It has been asked to stop. */
  get draining(): boolean {
    return this.#stopping !== undefined;
  }

  /** Attempts that ended since it began, by queue. */
  get ended(): ReadonlyMap<string, number> {
    return this.#attempts.ended;
  }

  /** Its queues and their slots, for people. */
  describe(): string {
    const groups = this.#groups.map(({ queues, slots }) => `${queues.join(" + ")} (${slots} at once)`);
    return groups.join(", ");
  }

  /** Ids of the running tasks. */
  running(): string[] {
    return this.#attempts.ids();
  }

  /** See `RunningWorker.health`. */
  health(): WorkerHealth {
    const now = performance.now();
    const triedAt = this.#triedAt ?? this.#attempts.triedAt;
    return { sinceTryMs: now - triedAt, sinceClaimMs: now - this.#claimedAt, stopping: this.draining };
  }

  /** Begins to claim. The process stays alive until the worker is stopped. */
  start(): void {
    if (this.#stopping !== undefined) throw new Error("A stopped worker cannot be started again.");
    if (this.#loop !== undefined) return;
    this.#attempts.start();
    this.#loop = this.#work();
  }

  /**
   * Claims nothing more, hands back what was claimed ahead, and waits for the running tasks: up to `drainMs` (default
   * 10,000), then aborts their signals and waits one lease longer, or `handBackMs`. What still runs then is left to
   * the worker that takes it over; its late writes bounce.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#drain(options);
    return this.#stopping;
  }

  /** Claims nothing more; running tasks continue. */
  claimNothing(): void {
    for (const group of this.#groups) group.stop();
  }

  /** Gives up on a store that is gone for good: results are not settled any more, and `stop` does not wait for them. */
  abandonStore(): void {
    this.#attempts.abandon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #drain({ drainMs = DRAIN_MS, handBackMs }: StopOptions): Promise<void> {
    this.#stopAsked.resolve();
    this.#wakeUp.wake();
    for (const group of this.#groups) group.stop();
    const idle = (async () => {
      await this.#loop;
      for (const group of this.#groups) await group.quiet();
      await this.#attempts.over();
    })();
    if (!(await endsWithin(idle, drainMs))) {
      this.#attempts.abort(new StoppedError());
      if (!(await endsWithin(idle, handBackMs ?? this.#leaseMs)) && handBackMs !== undefined) {
        this.#attempts.handBackRunning();
        await endsWithin(this.#attempts.settled(), this.#leaseMs);
      }
    }
    this.#attempts.abandon();
    await this.#heartbeat?.leave(this);
    await this.#attempts.stop();
  }

  async #work(): Promise<void> {
    const { store } = this.#options;
    const stopListening = store.onClaimable(() => this.#wakeUp.wake());
    await Promise.race([this.#attempts.ready, this.#stopAsked.promise]);
    let failures = 0;
    let woken = true;
    while (this.#stopping === undefined) {
      this.#triedAt = performance.now();
      try {
        // Before the first claim: only of a process that the store knows can another worker see that it died.
        this.#heartbeat ??= await HeartbeatSender.join(store, this, this.#report);
        const pause = await this.#turn(woken);
        this.#claimedAt = performance.now();
        failures = 0;
        woken = await this.#wakeUp.wait(pause);
        await this.#letOthersFirst();
        // Other attempts that end in this turn of the event loop make room for the same claim.
        await new Promise(setImmediate);
      } catch (error) {
        this.#report(error);
        failures++;
        await this.#wakeUp.wait(SHORTEST_PAUSE_MS + backoffDelay(failures, { baseMs: 200, capMs: 5_000 }));
      }
    }
    stopListening();
  }

  /**
   * A worker that met a task without a handler here may meet it again: it pauses, so that a worker with the handler
   * is quicker.
   */
  async #letOthersFirst(): Promise<void> {
    if (performance.now() - this.#attempts.metUnknown > BACK_OFF_MS || this.#attempts.size > 0) return;
    await Promise.race([
      sleep(Math.random() * LONGEST_BACK_OFF_MS, undefined, { ref: false }),
      this.#stopAsked.promise,
    ]);
  }

  /** Rescues orphans, claims as many tasks as there is room for, and returns how long there is nothing more to do. */
  async #turn(woken: boolean): Promise<number> {
    const { store, buckets } = this.#options;
    if (performance.now() >= this.#nextSweep) {
      await rescueOrphans(store, this.#poisonAfter);
      this.#nextSweep = performance.now() + POLL_MS;
    }
    if (this.#attempts.areBehind) return POLL_MS;
    // Nothing says that there are tasks: one query costs less than a claim for each group.
    if (!woken && this.#attempts.areOver) {
      const due = await store.claimableInMs(this.queues, buckets);
      if (due === null || due > 0) return Math.max(SHORTEST_PAUSE_MS, Math.min(due ?? POLL_MS, POLL_MS));
    }
    const free: string[] = [];
    for (const group of this.#groups) {
      this.#triedAt = performance.now();
      if (await group.claim()) free.push(...group.queues);
    }
    if (free.length === 0) return POLL_MS;
    const due = await store.claimableInMs(free, buckets);
    // A lease that has run out is due as well, and is there for the next sweep.
    if (due === 0) this.#nextSweep = 0;
    return Math.max(SHORTEST_PAUSE_MS, Math.min(due ?? POLL_MS, POLL_MS));
  }

  #withdraw(lease: Lease): Claim | undefined {
    for (const group of this.#groups) {
      const claim = group.withdraw(lease);
      if (claim !== undefined) return claim;
    }
    return undefined;
  }
}

/** The most that an option may be: more is never meant, and the store can count further. */
const MOST = 1_000_000;

function isCount(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value <= MOST;
}

function assertOption(name: string, value: number, what: string, isRight: boolean): void {
  if (isRight) return;
  throw new PawlError("worker.option", `The ${name} of a worker must be ${what}, not ${shown(value)}.`);
}

async function endsWithin(work: Promise<void>, ms: number): Promise<boolean> {
  if (ms <= 0) return false;
  const late = Promise.withResolvers<boolean>();
  // Longer than a timer can be set for is treated as for ever.
  const timer = ms <= LONGEST_TIMER_MS ? setTimeout(late.resolve, ms, false) : undefined;
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The function to which a worker reports errors outside of its tasks: that of the options, or a process warning. An error
 * of that function, thrown or rejected, becomes a process warning and must not end the worker.
 */
export function reporting(onError: ((error: unknown) => unknown) | undefined): (error: unknown) => void {
  const warn = (error: unknown) => process.emitWarning(asError(error));
  if (onError === undefined) return warn;
  return (error) => {
    try {
      const told = onError(error);
      if (told instanceof Promise) told.catch(warn);
    } catch (thrown) {
      warn(thrown);
    }
  };
}
