import { setTimeout as sleep } from "node:timers/promises";
import { LostError } from "../errors.ts";
import type { Claim, LaneRate, Lease, Store } from "../store/contract.ts";
import { type Backoff, backoffDelay } from "./backoff.ts";
import { Bell } from "./bell.ts";
import { handlerRunner } from "./handler-runner.ts";
import { Heart, type Pulse } from "./heart.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { halfOf, type Line, linesOf, type Queues, roomBeside, roomOf } from "./lines.ts";
import type { Ending, Handler, Runner } from "./runner.ts";
import { Settler } from "./settler.ts";
import { takeOver } from "./take-over.ts";
import { CancelledError, StoppedError } from "./verdicts.ts";
import { ownWorkerId } from "./worker-id.ts";

export interface WorkerOptions {
  readonly store: Store;
  /** Queues that share `concurrency` slots, or each with slots of its own. */
  readonly queues: Queues;
  /** By the name of the task. */
  readonly handlers?: Readonly<Record<string, Handler>>;
  /** Makes the attempts, in place of `handlers`. */
  readonly runner?: Runner;
  /** How many tasks run at once; default one a core. */
  readonly concurrency?: number;
  /** Tasks that are claimed ahead of a free slot, for each line; default 0. */
  readonly prefetch?: number;
  /** Lanes that are claimed from as well. */
  readonly lanes?: readonly LaneRate[];
  /** How long a claim is good for without renewal; default 15,000 ms. */
  readonly leaseMs?: number;
  /** A task that takes so many workers down without progress becomes a dead letter; default 5. */
  readonly poisonAfter?: number;
  /** Of `handlers`: a task that fails so many times becomes a dead letter; default 10. */
  readonly maxFailures?: number;
  /** Of `handlers`. */
  readonly backoff?: Backoff;
  /**
   * Told of what goes wrong outside the handlers: a store that cannot be reached, a task nobody has a handler for.
   * The worker goes on. Default: a process warning.
   */
  readonly onError?: (error: unknown) => void;
}

export interface StopOptions {
  /** How long running tasks may go on before their signals abort; default 10,000 ms. */
  readonly drainMs?: number;
  /**
   * How long they may take after that, in ms, until they are handed back while they still run: for a process that ends
   * right then. Without it they have one lease, and are left to whoever takes them over.
   */
  readonly handBackMs?: number;
}

/** A task that takes so many workers down without progress becomes a dead letter. */
export const POISON_AFTER = 5;

/** How often a worker looks for leases to take over, and at the queues should a wake-up have been missed. */
const LOOK_MS = 1_000;

/** A pause that keeps a queue whose next task somebody else is just claiming from being asked in a tight loop. */
const SHORTEST_PAUSE_MS = 20;

/** How long a stopping worker waits for its tasks before it asks them to stop. */
const DRAIN_MS = 10_000;

/** With so many settlements under way nothing more is claimed: the store is slower than the work. */
const MOST_UNSETTLED = 2_000;

/** How long a worker with nothing else to do is shy after it met a task that it does not know, and how shy. */
const SHY_MS = 60_000;
const COURTESY_MS = 200;

/** With tasks claimed ahead, how often a slot that becomes free is offered to tasks with a rate first. */
const LANES_MS = 20;

interface Running {
  readonly claim: Claim;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/**
 * Claims tasks from queues and runs their handlers, until it is stopped. It holds no task in memory that the store
 * does not know of, so it may be killed at any moment: another worker takes over.
 */
export class Worker implements AsyncDisposable, Pulse {
  /** The same for all workers of one process. */
  readonly id: string = ownWorkerId;
  readonly queues: readonly string[];
  readonly slots: number;
  /** Attempts that ended since it began, by queue. */
  readonly ended = new Map<string, number>();
  readonly #options: WorkerOptions;
  readonly #leaseMs: number;
  readonly #poisonAfter: number;
  readonly #prefetch: number;
  /** Half of what is claimed ahead is claimed while the other half is worked on. */
  readonly #inHalves: boolean;
  readonly #lines: readonly Line[];
  readonly #runner: Runner;
  readonly #keeper: LeaseKeeper;
  readonly #settler: Settler;
  readonly #bell = new Bell();
  readonly #running = new Set<Running>();
  /** Ends that are not durable yet. */
  #settling = 0;
  /** Claims that go by themselves. */
  readonly #claiming = new Set<Promise<void>>();
  readonly #stopAsked = Promise.withResolvers<void>();
  #heart: Heart | undefined;
  #loop: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #nextSweep = 0;
  #metUnknown = Number.NEGATIVE_INFINITY;

  constructor(options: WorkerOptions) {
    const { leaseMs = 15_000, poisonAfter = POISON_AFTER, maxFailures = 10, backoff = {} } = options;
    this.#options = options;
    this.#leaseMs = leaseMs;
    this.#poisonAfter = poisonAfter;
    this.#prefetch = options.prefetch ?? 0;
    this.#inHalves = this.#prefetch > 0 && options.store.concurrent;
    this.#lines = linesOf(options.queues, options.concurrency);
    this.queues = this.#lines.flatMap(({ queues }) => queues);
    this.slots = this.#lines.reduce((sum, { slots }) => sum + slots, 0);
    const report = (error: unknown) => this.#report(error);
    const policy = { maxFailures, backoff };
    this.#runner =
      options.runner ??
      handlerRunner({ store: options.store, handlers: options.handlers ?? {}, policy, report });
    this.#settler = new Settler(options.store, report);
    this.#keeper = new LeaseKeeper(
      { address: options.store.address, leaseMs },
      {
        lost: (lease) => this.#abort(lease, new LostError("Another worker has taken the task over.")),
        cancelRequested: (lease) => this.#abort(lease, new CancelledError()),
        error: report,
      },
    );
  }

  /** It has been asked to stop. */
  get draining(): boolean {
    return this.#stopping !== undefined;
  }

  /** Its queues and their slots, for people. */
  describe(): string {
    const lines = this.#lines.map(({ queues, slots }) => `${queues.join(" + ")} (${slots} at once)`);
    return lines.join(", ");
  }

  /** Ids of the tasks that run. */
  running(): string[] {
    return [...this.#running].map(({ claim }) => claim.id);
  }

  /** Begins to claim. The process stays alive until the worker is stopped. */
  start(): void {
    if (this.#stopping !== undefined) throw new Error("A stopped worker cannot be started again.");
    if (this.#loop !== undefined) return;
    this.#keeper.start();
    this.#loop = this.#work();
  }

  /**
   * Claims nothing more, hands back what was claimed ahead, and waits for the running tasks: up to `drainMs` (default
   * 10,000), then aborts their signals and waits one lease longer, or `handBackMs`. What still runs then is left to
   * whoever takes it over; its late writes bounce.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#drain(options);
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #drain({ drainMs = DRAIN_MS, handBackMs }: StopOptions): Promise<void> {
    this.#stopAsked.resolve();
    this.#bell.ring();
    for (const line of this.#lines) for (const claim of line.ahead.splice(0)) this.#handBack(claim);
    const idle = (async () => {
      await this.#loop;
      while (this.#claiming.size > 0) await Promise.all(this.#claiming);
      await Promise.all([...this.#running].map(({ done }) => done));
      await this.#settled();
    })();
    if (!(await endsWithin(idle, drainMs))) {
      for (const { abort } of this.#running) abort.abort(new StoppedError());
      if (!(await endsWithin(idle, handBackMs ?? this.#leaseMs)) && handBackMs !== undefined) {
        for (const { claim } of this.#running) this.#handBack(claim);
        await endsWithin(this.#settled(), this.#leaseMs);
      }
    }
    this.#settler.abandon();
    await this.#heart?.leave(this);
    await this.#keeper.stop();
  }

  async #settled(): Promise<void> {
    while (this.#settling > 0) await this.#settler.flushed();
  }

  async #work(): Promise<void> {
    const { store } = this.#options;
    const stopListening = store.wake(() => this.#bell.ring());
    await Promise.race([this.#keeper.ready, this.#stopAsked.promise]);
    let failures = 0;
    let rung = true;
    while (this.#stopping === undefined) {
      try {
        // Before the first claim: a process that the store does not know cannot be told to be dead.
        this.#heart ??= await Heart.join(store, this, (error) => this.#report(error));
        const pause = await this.#turn(rung);
        failures = 0;
        rung = await this.#bell.wait(pause);
        await this.#letOthersFirst();
        // What else ends in this turn of the event loop makes room for the same claim.
        await new Promise(setImmediate);
      } catch (error) {
        this.#report(error);
        failures++;
        await this.#bell.wait(SHORTEST_PAUSE_MS + backoffDelay(failures, { baseMs: 200, capMs: 5_000 }));
      }
    }
    stopListening();
  }

  /** Who has met a task that it does not know may meet it again: one that knows it should be quicker. */
  async #letOthersFirst(): Promise<void> {
    if (performance.now() - this.#metUnknown > SHY_MS || this.#running.size > 0) return;
    await Promise.race([
      sleep(Math.random() * COURTESY_MS, undefined, { ref: false }),
      this.#stopAsked.promise,
    ]);
  }

  /** Takes over, claims as much as there is room for, and says how long there is nothing more to do. */
  async #turn(rung: boolean): Promise<number> {
    const { store, lanes } = this.#options;
    if (performance.now() >= this.#nextSweep) {
      await takeOver(store, this.#poisonAfter);
      this.#nextSweep = performance.now() + LOOK_MS;
    }
    if (this.#settler.backlog > MOST_UNSETTLED) return LOOK_MS;
    // Nobody said that there is something: one question is less than a claim for each line.
    if (!rung && this.#running.size === 0 && this.#settling === 0) {
      const due = await store.due(this.queues, lanes);
      if (due === null || due > 0) return Math.max(SHORTEST_PAUSE_MS, Math.min(due ?? LOOK_MS, LOOK_MS));
    }
    const hungry: string[] = [];
    for (const line of this.#lines) {
      if (this.#stopping === undefined && (await this.#claimFor(line))) hungry.push(...line.queues);
    }
    if (hungry.length === 0) return LOOK_MS;
    const due = await store.due(hungry, lanes);
    // A lease that has run out is due as well, and is there for the next sweep.
    if (due === 0) this.#nextSweep = 0;
    return Math.max(SHORTEST_PAUSE_MS, Math.min(due ?? LOOK_MS, LOOK_MS));
  }

  /** Claims what a line has room for. True when there was not as much as that. */
  async #claimFor(line: Line): Promise<boolean> {
    const { lanes } = this.#options;
    if (lanes === undefined) return await this.#claim(line, this.#roomOf(line));
    if (this.#prefetch === 0) return await this.#claim(line, roomOf(line, 0), lanes);
    let hungry = false;
    const free = line.slots - line.running;
    // What has a rate is claimed when it begins: of tasks claimed ahead too many would begin at once.
    if (free > 0 && this.#lanesAreDue(line)) {
      line.nextLanes = performance.now() + LANES_MS;
      line.reserved = free;
      try {
        hungry = await this.#claim(line, free, lanes);
      } finally {
        line.reserved = 0;
      }
    }
    this.#fill(line);
    return (await this.#claim(line, this.#roomOf(line))) || hungry;
  }

  #roomOf(line: Line): number {
    const room = roomOf(line, this.#prefetch);
    return this.#inHalves ? Math.min(room, halfOf(line, this.#prefetch)) : room;
  }

  async #claim(line: Line, n: number, lanes?: readonly LaneRate[]): Promise<boolean> {
    if (n === 0) return false;
    const { store } = this.#options;
    const { queues } = line;
    const request = { queues, n, leaseMs: this.#leaseMs, worker: this.id };
    line.coming += n;
    const claiming = store.claim(lanes === undefined ? request : { ...request, lanes });
    const claims = await claiming.finally(() => {
      line.coming -= n;
    });
    // All of them first: a handler that does not yield must not keep the others from being renewed.
    if (claims.length > 0) this.#keeper.hold(claims);
    if (lanes !== undefined && line.reserved > 0) {
      line.reserved = 0;
      line.ahead.unshift(...claims);
    } else line.ahead.push(...claims);
    const hungry = claims.length < n;
    if (!hungry && lanes === undefined) this.#claimOn(line);
    this.#fill(line);
    return hungry;
  }

  /**
   * Claims on while the tasks of the last claim begin and end, so that neither this process nor the store waits for the
   * other. Goes by itself, so that it holds up no other line.
   */
  #claimOn(line: Line): void {
    const n = this.#inHalves ? roomBeside(line, this.#prefetch) : 0;
    if (n === 0 || this.#stopping !== undefined || this.#settler.backlog > MOST_UNSETTLED) return;
    const claimed = this.#claim(line, n)
      .catch((error: unknown) => this.#report(error))
      .then(() => {
        this.#claiming.delete(claimed);
        this.#bell.ring();
      });
    this.#claiming.add(claimed);
  }

  /** With tasks claimed ahead no slot would ever be free for those with a rate: one is left free from time to time. */
  #lanesAreDue(line: Line): boolean {
    const { lanes } = this.#options;
    return lanes !== undefined && this.#prefetch > 0 && performance.now() >= line.nextLanes;
  }

  /** Begins what was claimed ahead while there are free slots. */
  #fill(line: Line): void {
    while (
      line.ahead.length > 0 &&
      (line.running + line.reserved < line.slots || this.#stopping !== undefined)
    ) {
      const claim = line.ahead.shift() as Claim;
      // Claimed while the worker was asked to stop.
      if (this.#stopping !== undefined) this.#handBack(claim);
      else this.#begin(claim, line);
    }
  }

  #begin(claim: Claim, line: Line): void {
    const abort = new AbortController();
    line.running++;
    const running: Running = {
      claim,
      abort,
      done: this.#attempt(claim, abort).then(() => this.#end(running, line)),
    };
    this.#running.add(running);
    if (claim.task.cancelRequested) abort.abort(new CancelledError());
  }

  /** An attempt is over: its slot is free. */
  #end(running: Running, line: Line): void {
    line.running--;
    this.#running.delete(running);
    const { queue } = running.claim.task;
    this.ended.set(queue, (this.ended.get(queue) ?? 0) + 1);
    const lanesAreDue = this.#lanesAreDue(line);
    if (!lanesAreDue || this.#stopping !== undefined) this.#fill(line);
    if (lanesAreDue || roomOf(line, this.#prefetch) > 0) this.#bell.ring();
  }

  /** Never rejects. */
  async #attempt(claim: Claim, abort: AbortController): Promise<void> {
    const ending = await this.#runner(claim, abort.signal, (error) => abort.abort(error));
    if (ending === undefined) this.#keeper.drop(claim);
    else {
      const { unknown, ...settlement } = ending;
      if (unknown) this.#metUnknown = performance.now();
      this.#settle(claim, settlement);
    }
  }

  /** Durable soon. The slot is free meanwhile; the lease is not. */
  #settle(claim: Claim, ending: Ending): void {
    const { id, fence } = claim;
    this.#settling++;
    this.#settler.settle({ id, fence, ...ending }, () => {
      this.#keeper.drop(claim);
      this.#settling--;
      if (this.#settling === MOST_UNSETTLED >> 1) this.#bell.ring();
    });
  }

  #handBack(claim: Claim): void {
    this.#settle(claim, { outcome: { state: "snoozed", delayMs: 0 } });
  }

  #abort(lease: Lease, reason: Error): void {
    const isMeant = ({ id, fence }: Lease) => id === lease.id && fence === lease.fence;
    for (const { claim, abort } of this.#running) {
      if (!isMeant(claim)) continue;
      abort.abort(reason);
      return;
    }
    for (const { ahead } of this.#lines) {
      const at = ahead.findIndex(isMeant);
      const [claim] = at < 0 ? [] : ahead.splice(at, 1);
      if (claim !== undefined && reason instanceof CancelledError) {
        this.#settle(claim, { outcome: { state: "cancelled" } });
      }
    }
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError === undefined) process.emitWarning(error instanceof Error ? error : String(error));
    else onError(error);
  }
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
