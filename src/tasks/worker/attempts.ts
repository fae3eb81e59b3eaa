import { errorText } from "../../error-text.ts";
import { LostError } from "../../errors.ts";
import { backoffDelay } from "../../retry.ts";
import type { Claim, Lease, Settlement, Store } from "../../store/contract.ts";
import { CancelledError } from "../attempt/errors.ts";
import type { Ending, Runner } from "../runner.ts";
import type { Bell } from "../wake-up.ts";
import { type Ended, Settler } from "./completer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

/** With so many settlements under way nothing more should be claimed: the store is slower than the work. */
const MOST_UNSETTLED = 2_000;

/** So often is a task tried again whose attempts cannot even be made. */
const MOST_FAILURES = 10;

export interface AttemptsOptions {
  readonly store: Store;
  readonly leaseMs: number;
  readonly runner: Runner;
  /** Rung when the store has caught up. */
  readonly bell: Bell;
  /** Takes back a claim that has not begun: another worker has the task, or somebody wants it to end. */
  readonly withdraw: (lease: Lease) => Claim | undefined;
  readonly report: (error: unknown) => void;
}

class Running {
  readonly claim: Claim;
  readonly stop = new AbortController();
  done: Promise<void> | undefined;

  constructor(claim: Claim) {
    this.claim = claim;
  }
}

/** What a worker holds: keeps the leases, makes the attempts, and has the store know how they ended. */
export class Attempts {
  /** Those that are over, by queue. */
  readonly ended = new Map<string, number>();
  readonly #runner: Runner;
  readonly #keeper: LeaseKeeper;
  readonly #settler: Settler;
  readonly #bell: Bell;
  readonly #withdraw: (lease: Lease) => Claim | undefined;
  readonly #running = new Set<Running>();
  /** Ends that are not durable yet. */
  #settling = 0;
  #metUnknown = Number.NEGATIVE_INFINITY;
  readonly #report: (error: unknown) => void;

  constructor({ store, leaseMs, runner, bell, withdraw, report }: AttemptsOptions) {
    this.#runner = runner;
    this.#bell = bell;
    this.#withdraw = withdraw;
    this.#report = report;
    this.#settler = new Settler(store, report);
    this.#keeper = new LeaseKeeper(
      { address: store.address, leaseMs },
      {
        lost: (lease) => this.#interrupt(lease, new LostError("Another worker has taken the task over.")),
        cancelRequested: (lease) => this.#interrupt(lease, new CancelledError()),
        error: report,
      },
    );
  }

  /** Begins to keep leases. */
  start(): void {
    this.#keeper.start();
  }

  /** Resolves when leases are renewed: before that nothing should be claimed. */
  get ready(): Promise<void> {
    return this.#keeper.ready;
  }

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  /** None runs, and the end of each is durable. */
  get areOver(): boolean {
    return this.#running.size === 0 && this.#settling === 0;
  }

  /** The store is slower than the work. */
  get areBehind(): boolean {
    return this.#settler.backlog > MOST_UNSETTLED;
  }

  /** When a task was met that nobody here knows, in milliseconds of `performance.now`. */
  get metUnknown(): number {
    return this.#metUnknown;
  }

  /** Ids of the tasks that run. */
  ids(): string[] {
    return [...this.#running].map(({ claim }) => claim.id);
  }

  /** Keeps the leases of what was claimed, from now until it is settled. */
  hold(claims: readonly Claim[]): void {
    this.#keeper.hold(claims);
  }

  /** Makes an attempt at what is held. Calls `freed` when it is over, which its lease may outlast. */
  begin(claim: Claim, freed: () => void): void {
    const { damaged } = claim.task;
    if (damaged !== undefined) {
      this.#settle(claim, { result: { state: "dead", error: damaged } });
      // Not before this call is over: whoever begins tasks counts them first.
      queueMicrotask(freed);
      return;
    }
    const running = new Running(claim);
    this.#running.add(running);
    running.done = this.#attempt(running, freed);
    if (claim.task.cancelRequested) running.stop.abort(new CancelledError());
  }

  /** Lets others have what is held. */
  handBack(claim: Claim): void {
    this.#settle(claim, { result: { state: "snoozed", delayMs: 0 } });
  }

  /** Lets others have what runs, while it still does. */
  handBackRunning(): void {
    for (const { claim } of this.#running) this.handBack(claim);
  }

  /** Asks what runs to end. */
  abort(reason: Error): void {
    for (const { stop } of this.#running) stop.abort(reason);
  }

  /** Waits for what runs, and until the end of each is durable. */
  async over(): Promise<void> {
    await Promise.all([...this.#running].map(({ done }) => done));
    await this.settled();
  }

  /** Waits until the ends that are known are durable. */
  async settled(): Promise<void> {
    while (this.#settling > 0) await this.#settler.flushed();
  }

  /** Gives up on a store that does not take what is unsettled: others take it over. */
  abandon(): void {
    this.#settler.abandon();
  }

  /** Keeps no leases any more. */
  async stop(): Promise<void> {
    await this.#keeper.stop();
  }

  /** Never rejects. */
  async #attempt(running: Running, freed: () => void): Promise<void> {
    const { claim, stop } = running;
    let ending: Ending | undefined;
    try {
      ending = await this.#runner(claim, stop);
    } catch (error) {
      ending = this.#broken(claim, error);
    }
    if (ending === undefined) this.#keeper.drop(claim);
    else {
      if (ending.unknown) this.#metUnknown = performance.now();
      this.#settle(claim, ending);
    }
    this.#running.delete(running);
    const { queue } = claim.task;
    this.ended.set(queue, (this.ended.get(queue) ?? 0) + 1);
    freed();
  }

  /** A runner that throws is a defect, but one task's only. */
  #broken({ task }: Claim, error: unknown): Ending {
    this.#report(error);
    const failures = task.failures + 1;
    if (failures >= MOST_FAILURES) return { result: { state: "dead", error: errorText(error) } };
    return { result: { state: "retry", delayMs: backoffDelay(failures), error: errorText(error) } };
  }

  /** Durable soon. The slot is free meanwhile; the lease is not. */
  #settle(claim: Claim, ending: Ending): void {
    this.#settling++;
    this.#settler.settle(new EndedAttempt(claim, ending, this.#settled));
  }

  readonly #settled = (claim: Claim): void => {
    this.#keeper.drop(claim);
    this.#settling--;
    if (this.#settling === MOST_UNSETTLED >> 1) this.#bell.ring();
  };

  #interrupt(lease: Lease, reason: Error): void {
    for (const { claim, stop } of this.#running) {
      if (claim.id !== lease.id || claim.fence !== lease.fence) continue;
      stop.abort(reason);
      return;
    }
    const claim = this.#withdraw(lease);
    if (claim !== undefined && reason instanceof CancelledError) {
      this.#settle(claim, { result: { state: "cancelled" } });
    }
  }
}

class EndedAttempt implements Ended {
  readonly #claim: Claim;
  readonly #ending: Ending;
  readonly #settled: (claim: Claim) => void;

  constructor(claim: Claim, ending: Ending, settled: (claim: Claim) => void) {
    this.#claim = claim;
    this.#ending = ending;
    this.#settled = settled;
  }

  settlement(): Settlement {
    const { id, fence } = this.#claim;
    const { late } = this.#ending;
    const { result, log = this.#ending.log } = late?.() ?? this.#ending;
    return log === undefined ? { id, fence, result } : { id, fence, result, log };
  }

  done(): void {
    this.#settled(this.#claim);
  }
}
