import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker as Thread } from "node:worker_threads";
import { backoffDelay } from "../../retry.ts";
import type { Lease } from "../../store/contract.ts";

/** The sources are .ts, the built package .js. */
const THREAD = new URL(`./lease-renewer-thread${extname(import.meta.url)}`, import.meta.url);

/** How long a thread gets to close its store before it is ended. */
const CLOSE_WITHIN_MS = 2_000;

/**
 * How long dropped leases wait for another message to go with: waking the thread costs more than noting a thousand of
 * them.
 */
const DROP_MS = 50;

export interface LeaseRenewerEvents {
  readonly lost: (lease: Lease) => void;
  readonly cancelRequested: (lease: Lease) => void;
  readonly error: (error: unknown) => void;
}

/** Renews leases from a thread of its own, which is started again if it dies. */
export class LeaseRenewer {
  readonly #setup: LeaseRenewerSetup;
  readonly #events: LeaseRenewerEvents;
  /** Held leases with their numbers. */
  readonly #held = new Map<Lease, number>();
  #next = 0;
  #dropped: number[] = [];
  #dropping: NodeJS.Timeout | undefined;
  #thread: Thread | undefined;
  readonly #ready = Promise.withResolvers<void>();
  #failures = 0;
  #startedAt = performance.now();
  #stopped = false;

  constructor(setup: LeaseRenewerSetup, events: LeaseRenewerEvents) {
    this.#setup = setup;
    this.#events = events;
  }

  start(): void {
    this.#startedAt = performance.now();
    const thread = new Thread(THREAD, {
      workerData: this.#setup,
      name: "pawl-leases",
      // Flags meant for the program, such as --input-type, can keep a thread from starting.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4, codeRangeSizeMb: 8 },
    });
    this.#thread = thread;
    thread.on("message", (report: LeaseReport) => this.#hear(report));
    thread.on("error", (error) => this.#events.error(error));
    thread.on("exit", () => void this.#restart());
    for (const [lease, number] of this.#held) this.#tellOf([lease], number);
  }

  /** Resolves when the first thread renews leases: before that nothing should be claimed. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** When the latest thread was started, in milliseconds of `performance.now`: one that cannot open its store dies, and another follows. */
  get startedAt(): number {
    return this.#startedAt;
  }

  hold(claims: readonly Lease[]): void {
    const first = this.#next;
    for (const claim of claims) this.#held.set(claim, this.#next++);
    this.#tellOf(claims, first);
  }

  /** Stops renewing a lease that was given to `hold`. */
  drop(claim: Lease): void {
    const number = this.#held.get(claim);
    if (number === undefined) return;
    this.#held.delete(claim);
    this.#dropped.push(number);
    this.#dropping ??= setTimeout(
      () => this.#tell({ kind: "drop", dropped: this.#takeDropped() }),
      DROP_MS,
    ).unref();
  }

  #takeDropped(): Float64Array {
    clearTimeout(this.#dropping);
    this.#dropping = undefined;
    const numbers = Float64Array.from(this.#dropped);
    this.#dropped = [];
    return numbers;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    const gone = new Promise((resolve) => thread.once("exit", resolve));
    thread.ref();
    this.#tell({ kind: "stop" });
    await Promise.race([gone, sleep(CLOSE_WITHIN_MS, undefined, { ref: false })]);
    await thread.terminate();
  }

  #tellOf(leases: readonly Lease[], first: number): void {
    const texts = JSON.stringify(leases.map(({ id, fence }) => [id, fence]));
    this.#tell({ kind: "hold", first, leases: texts, dropped: this.#takeDropped() });
  }

  #tell(request: LeaseRequest): void {
    this.#thread?.postMessage(request);
  }

  #hear(report: LeaseReport): void {
    if (report.kind === "ready") {
      this.#failures = 0;
      // The worker's loop keeps the process alive from here on, not this thread; unless `stop` waits for its end.
      if (!this.#stopped) this.#thread?.unref();
      this.#ready.resolve();
    } else if (report.kind === "trouble") {
      this.#events.error(report.error);
    } else {
      for (const lease of report.leases) this.#events[report.kind](lease);
    }
  }

  async #restart(): Promise<void> {
    this.#thread = undefined;
    if (this.#stopped) return;
    this.#failures++;
    await sleep(backoffDelay(this.#failures, { baseMs: 200, capMs: 5_000 }));
    if (!this.#stopped) this.start();
  }
}

/** What the thread is started with. */
export interface LeaseRenewerSetup {
  /** The address of the store, which the thread opens for itself. */
  readonly address: string;
  readonly leaseMs: number;
}

/**
 * From the worker to the thread. Leases are numbered as they are held. Most are dropped long before they must be renewed, so
 * they are sent as a text that is parsed only then: JSON of pairs of id and fence, numbered from `first` on. The numbers of
 * leases that were dropped before are sent with them.
 */
export type LeaseRequest =
  | { readonly kind: "hold"; readonly first: number; readonly leases: string; readonly dropped: Float64Array }
  | { readonly kind: "drop"; readonly dropped: Float64Array }
  | { readonly kind: "stop" };

/** From the thread to the worker. */
export type LeaseReport =
  | { readonly kind: "ready" }
  | { readonly kind: "lost" | "cancelRequested"; readonly leases: readonly Lease[] }
  | { readonly kind: "trouble"; readonly error: unknown };
