import { LostError } from "../../errors.ts";
import type { Claim, Lease, Store, TaskResult } from "../../store/contract.ts";
import { Attempt, type Runner } from "../attempt/attempt.ts";
import { CancelledError } from "../attempt/errors.ts";
import { resultOfDefect } from "../attempt/result.ts";
import type { WakeUpSignal } from "../wake-up-signal.ts";
import { Completer } from "./completer.ts";
import { LeaseRenewer } from "./lease-renewer.ts";

/** With more unsettled results than this nothing is claimed: the store is slower than the work. */
const MOST_UNSETTLED = 2_000;

export interface HeldAttemptsOptions {
  readonly store: Store;
  readonly leaseMs: number;
  readonly runner: Runner;
  /** Woken when the store has caught up. */
  readonly wakeUp: WakeUpSignal;
  /** Takes back a claim that has not begun: another worker has the task, or it was asked to end. */
  readonly withdraw: (lease: Lease) => Claim | undefined;
  readonly report: (error: unknown) => void;
}

/** The attempts of a worker: keeps their leases, runs them, and settles their results. */
export class HeldAttempts {
  /** How many have ended, by queue. */
  readonly ended = new Map<string, number>();
  readonly #runner: Runner;
  readonly #renewer: LeaseRenewer;
  readonly #completer: Completer;
  readonly #wakeUp: WakeUpSignal;
  readonly #withdraw: (lease: Lease) => Claim | undefined;
  readonly #running = new Set<Attempt>();
  /** How many results are not durable yet. */
  #settling = 0;
  #metUnknown = Number.NEGATIVE_INFINITY;
  readonly #report: (error: unknown) => void;

  constructor({ store, leaseMs, runner, wakeUp, withdraw, report }: HeldAttemptsOptions) {
    this.#runner = runner;
    this.#wakeUp = wakeUp;
    this.#withdraw = withdraw;
    this.#report = report;
    this.#completer = new Completer(store, report);
    this.#renewer = new LeaseRenewer(
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
    this.#renewer.start();
  }

  /** Resolves when leases are renewed: before that nothing should be claimed. */
  get ready(): Promise<void> {
    return this.#renewer.ready;
  }

  /** When it last began to try to renew leases, in milliseconds of `performance.now`. */
  get triedAt(): number {
    return this.#renewer.startedAt;
  }

  /** How many attempts are running. */
  get size(): number {
    return this.#running.size;
  }

  /** No attempt is running, and every result is durable. */
  get areOver(): boolean {
    return this.#running.size === 0 && this.#settling === 0;
  }

  /** The store is slower than the work. */
  get areBehind(): boolean {
    return this.#completer.backlog > MOST_UNSETTLED;
  }

  /** When the latest task without a handler here was claimed, in milliseconds of `performance.now`. */
  get metUnknown(): number {
    return this.#metUnknown;
  }

  /** Ids of the running tasks. */
  ids(): string[] {
    return [...this.#running].map(({ claim }) => claim.id);
  }

  /** Keeps the leases of what was claimed, from now until it is settled. */
  hold(claims: readonly Claim[]): void {
    this.#renewer.hold(claims);
  }

  /** Begins an attempt at a held claim. Calls `freed` when it has ended, which may be before its result is durable. */
  begin(claim: Claim, freed: () => void): void {
    const { damaged } = claim.task;
    if (damaged !== undefined) {
      this.#complete(new Attempt(claim), { state: "dead", error: damaged });
      // After this call has returned, because the caller counts the attempt only then.
      queueMicrotask(freed);
      return;
    }
    const attempt = new Attempt(claim);
    this.#running.add(attempt);
    attempt.ended = this.#run(attempt, freed);
    if (claim.task.cancelRequested) attempt.stop.abort(new CancelledError());
  }

  /** Gives a held claim back to its queue. */
  handBack(claim: Claim): void {
    this.#complete(new Attempt(claim), { state: "snoozed", delayMs: 0 });
  }

  /** Gives the claims of running attempts back to their queues. */
  handBackRunning(): void {
    for (const { claim } of this.#running) this.handBack(claim);
  }

  /** Aborts the signals of the running attempts. */
  abort(reason: Error): void {
    for (const { stop } of this.#running) stop.abort(reason);
  }

  /** Resolves when no attempt is running and every result is durable. */
  async over(): Promise<void> {
    await Promise.all([...this.#running].map(({ ended }) => ended));
    await this.settled();
  }

  /** Resolves when every known result is durable. */
  async settled(): Promise<void> {
    while (this.#settling > 0) await this.#completer.flushed();
  }

  /** Gives up on a store that does not work: other workers take over what is unsettled. */
  abandon(): void {
    this.#completer.abandon();
  }

  /** Stops renewing leases. */
  async stop(): Promise<void> {
    await this.#renewer.stop();
  }

  /** Never rejects. */
  async #run(attempt: Attempt, freed: () => void): Promise<void> {
    const { claim } = attempt;
    let result: TaskResult | null;
    try {
      result = await this.#runner.run(attempt);
    } catch (error) {
      // The runner threw, which is a defect: other tasks must not suffer from it.
      this.#report(error);
      result = resultOfDefect(error, claim.task);
    }
    if (attempt.isUnknown) this.#metUnknown = performance.now();
    if (result === null) this.#renewer.drop(claim);
    else this.#complete(attempt, result);
    this.#running.delete(attempt);
    const { queue } = claim.task;
    this.ended.set(queue, (this.ended.get(queue) ?? 0) + 1);
    freed();
  }

  /** Settles a result soon. The slot is free meanwhile; the lease is kept until the result is durable. */
  #complete(attempt: Attempt, result: TaskResult): void {
    this.#settling++;
    this.#completer.complete({
      settlement: () => attempt.settlement(result),
      done: () => this.#settled(attempt.claim),
    });
  }

  #settled(claim: Claim): void {
    this.#renewer.drop(claim);
    this.#settling--;
    if (this.#settling === MOST_UNSETTLED >> 1) this.#wakeUp.wake();
  }

  #interrupt(lease: Lease, reason: Error): void {
    for (const { claim, stop } of this.#running) {
      if (claim.id !== lease.id || claim.fence !== lease.fence) continue;
      stop.abort(reason);
      return;
    }
    const claim = this.#withdraw(lease);
    if (claim !== undefined && reason instanceof CancelledError) {
      this.#complete(new Attempt(claim), { state: "cancelled" });
    }
  }
}
