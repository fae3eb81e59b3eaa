import { errorText, isOf } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import { backoffDelay } from "../../retry.ts";
import type { Claim, Lease, Settlement, Store, TaskResult, TaskStore } from "../../store/contract.ts";
import { isContentError, JsonText } from "../../store/internal.ts";
import { Attempt, type Runner } from "../attempt/attempt.ts";
import { CancelledError } from "../attempt/errors.ts";
import { GroupCommit } from "../group-commit.ts";
import type { WakeUpSignal } from "../wake-up-signal.ts";
import { LeaseRenewer } from "./lease-renewer.ts";

/** With more unsettled results than this nothing is claimed: the store is slower than the work. */
const MOST_UNSETTLED = 2_000;

/** After so many failures a task whose attempts cannot be made becomes a dead letter. */
const MOST_FAILURES = 10;

export interface AttemptsOptions {
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
export class Attempts {
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

  constructor({ store, leaseMs, runner, wakeUp, withdraw, report }: AttemptsOptions) {
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
      result = this.#broken(claim, error);
    }
    if (attempt.isUnknown) this.#metUnknown = performance.now();
    if (result === null) this.#renewer.drop(claim);
    else this.#complete(attempt, result);
    this.#running.delete(attempt);
    const { queue } = claim.task;
    this.ended.set(queue, (this.ended.get(queue) ?? 0) + 1);
    freed();
  }

  /** The result of an attempt at which the runner threw, which is a defect: other tasks must not suffer from it. */
  #broken({ task }: Claim, error: unknown): TaskResult {
    this.#report(error);
    const failures = task.failures + 1;
    if (failures >= MOST_FAILURES) return { state: "dead", error: errorText(error) };
    return { state: "retry", delayMs: backoffDelay(failures), error: errorText(error) };
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

/** A claim whose attempt has ended. */
export interface Ended {
  /** Its settlement. Called once, when it goes to the store for the first time. */
  settlement(): Settlement;
  /** The claim is settled, is found to be lost, or is abandoned. */
  done(): void;
}

class Entry {
  readonly ended: Ended;
  /** It takes the place of a settlement that the store refused. */
  readonly replaces: boolean;
  #settlement: Settlement | undefined;

  constructor(ended: Ended, instead?: Settlement) {
    this.ended = ended;
    this.replaces = instead !== undefined;
    this.#settlement = instead;
  }

  get settlement(): Settlement {
    this.#settlement ??= this.ended.settlement();
    return this.#settlement;
  }
}

/** The most settlements in one transaction; a worker rarely ends more in one turn of its event loop. */
const MOST = 2_000;

/**
 * Settles claims by group commit. A store that does not work is asked again until it works, because the work is done and
 * must not be done a second time. What the store refuses becomes a dead letter that says why.
 */
export class Completer {
  readonly #onError: (error: unknown) => void;
  readonly #abandoned = new AbortController();
  readonly #commit: GroupCommit<Entry>;

  constructor(store: Pick<TaskStore, "settle">, onError: (error: unknown) => void) {
    this.#onError = onError;
    this.#commit = new GroupCommit<Entry>({
      most: MOST,
      characters: charactersOf,
      // Other attempts that end in this turn of the event loop join the batch, and unhandled errors are known only after it.
      gather: () => new Promise(setImmediate),
      store: (batch) => this.#settle(store, batch),
      failed: (entry, error) => this.#failed(entry, error),
      retry: { isTransient: isWorthAsking, baseMs: 100, capMs: 5_000, signal: this.#abandoned.signal },
    });
  }

  complete(ended: Ended): void {
    this.#commit.add(new Entry(ended));
  }

  /** Resolves when all settlements are durable. */
  async flushed(): Promise<void> {
    await this.#commit.flushed();
  }

  /** Settlements that are not durable yet. */
  get backlog(): number {
    return this.#commit.backlog;
  }

  /** Gives up on a store that does not work: what is unsettled is taken over when its lease runs out. */
  abandon(): void {
    this.#abandoned.abort();
  }

  async #settle(store: Pick<TaskStore, "settle">, batch: readonly Entry[]): Promise<void> {
    try {
      // A claim that is lost belongs to another worker; there is nothing left to do for it here.
      await store.settle(batch.map(({ settlement }) => settlement));
    } catch (error) {
      if (!isContentError(error)) this.#onError(error);
      throw error;
    }
    for (const { ended } of batch) ended.done();
  }

  #failed({ ended, replaces, settlement: { id, fence } }: Entry, error: unknown): void {
    if (!isContentError(error)) {
      ended.done();
      return;
    }
    this.#onError(error);
    if (replaces) {
      // Its lease runs out, and it counts as a crash: the sweep writes nothing that came from the attempt.
      ended.done();
      return;
    }
    const why = `How this attempt ended cannot be stored: ${errorText(error)}`;
    this.#commit.add(new Entry(ended, { id, fence, result: { state: "dead", error: why } }));
  }
}

/** Where this process has closed the store itself, asking it again cannot help. */
function isWorthAsking(error: unknown): boolean {
  return !(isOf(error, PawlError) && error.code === "store.closed");
}

/** About as much text as a settlement brings to the store. */
function charactersOf({ settlement }: Entry): number {
  const { result, log } = settlement;
  let sum = log?.length ?? 0;
  if ("error" in result) sum += result.error.length;
  if (result.state !== "succeeded") return sum;
  sum += textOf(result.value) + textOf(result.meta);
  for (const { payload, meta } of result.next ?? []) sum += textOf(payload) + textOf(meta);
  return sum;
}

/** The size of a value: one that is large became a text long before. */
function textOf(value: unknown): number {
  return value instanceof JsonText ? value.text.length : 0;
}
