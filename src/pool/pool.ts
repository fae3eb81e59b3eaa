import { availableParallelism } from "node:os";
import { PawlError } from "../errors.ts";
import { runAlongside } from "./alongside.ts";
import type { Call } from "./call.ts";
import { type AnyFunction, isLoading, unguarded } from "./callable.ts";
import { checkPoolOptions } from "./checked.ts";
import type { ItemContext } from "./context.ts";
import { batchSize } from "./cost.ts";
import { Crew, OTHER_CORES } from "./crew.ts";
import { blocks, measureTransport, paysOff } from "./decide.ts";
import type { Future } from "./future.ts";
import { runInline } from "./inline-run.ts";
import { runInlineStream } from "./inline-stream.ts";
import { Intake } from "./intake.ts";
import { type Account, type FunctionExplanation, Ledger } from "./ledger.ts";
import { Mapped, type Settled } from "./mapped.ts";
import type { CallOptions, MapOptions, PoolOptions } from "./options.ts";
import { pack } from "./portable.ts";
import { referenceTo } from "./reference.ts";
import type { ObjectStats } from "./shared/object-stats.ts";
import { objectStats } from "./shared/objects.ts";
import { Stop } from "./stop.ts";
import { Streamed } from "./streamed.ts";
import { entryOf } from "./worker/bundled.ts";

const IDLE_MS = 10_000;
/** Items looked at to learn what sending them costs. */
const SAMPLE = 8;

/** What `pool.explain()` tells. */
export interface Explanation {
  /** What was decided for each function so far, and by which figures. */
  readonly functions: readonly FunctionExplanation[];
  /** The objects that this thread has put, for whichever pool; those that nobody disposed of as `leaked`. */
  readonly objects: ObjectStats;
}

/**
 * Workers for functions: threads, or processes. A function is a `callable`, or an inline one that uses nothing from
 * outside. An idle pool lets the program end; `close` waits for what runs, `await using` ends it.
 */
export class Pool<Init = unknown> implements AsyncDisposable {
  readonly #options: PoolOptions<Init>;
  readonly #workers: number;
  readonly #crew: Crew;
  readonly #ledger: Ledger;
  /** What ends each of the maps under way. */
  readonly #underWay = new Set<(error: unknown) => void>();
  /** Who waits for the pool to have nothing to do. */
  readonly #waiting = new Set<() => void>();
  #closed = false;
  #terminated: PawlError | null = null;

  constructor(options: PoolOptions<Init> = {}) {
    checkPoolOptions(options);
    const { workers = availableParallelism(), isolate = "thread", init, initArgument } = options;
    // Better now than when the first worker is wanted.
    entryOf(isolate);
    this.#options = options;
    this.#workers = workers;
    const { value, packed } = pack(initArgument, isolate);
    const setup = {
      init: init === undefined ? null : referenceTo(init, "the pool's init"),
      initArgument: value,
      packed,
      maxMemory: options.maxMemoryPerWorker ?? null,
    };
    this.#crew = new Crew(
      {
        workers,
        isolation: isolate,
        setup,
        maxTasks: options.maxTasksPerWorker ?? Number.POSITIVE_INFINITY,
        maxHeap: options.maxHeapPerWorker ?? null,
        startTimeout: options.startTimeout ?? Number.POSITIVE_INFINITY,
        idle: options.idle ?? IDLE_MS,
      },
      () => this.#tell(),
    );
    this.#ledger = new Ledger(this.#crew.reach);
  }

  /** Calls `fn` with each item and resolves with the results in order. The first error stops it. */
  map<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & { readonly errors?: "throw" },
  ): Promise<R[]>;
  /** The same, but an error takes the place of its item's result. */
  map<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions & { readonly errors: "collect" },
  ): Promise<Settled<R>[]>;
  map(
    fn: AnyFunction,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions & { readonly errors?: "throw" | "collect" } = {},
  ): Promise<unknown[]> {
    return this.#map(fn, items, options, "map");
  }

  /** Like `map`, with the elements of each item as arguments. */
  starmap<A extends readonly unknown[], R>(
    fn: (...args: A) => R | Promise<R>,
    items: Iterable<A> | AsyncIterable<A>,
    options: MapOptions = {},
  ): Promise<R[]> {
    return this.#map(fn as AnyFunction, items, options, "starmap") as Promise<R[]>;
  }

  /** Results in order, as they are asked for; items are taken as there is room. Memory is that of a few batches. */
  imap<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions = {},
  ): AsyncGenerator<R, void, undefined> {
    return this.#imap(fn as AnyFunction, items, options, true) as AsyncGenerator<R, void, undefined>;
  }

  /** Like `imap`, but each result as soon as it is there. */
  imapUnordered<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions = {},
  ): AsyncGenerator<R, void, undefined> {
    return this.#imap(fn as AnyFunction, items, options, false) as AsyncGenerator<R, void, undefined>;
  }

  /** Calls `fn` in a worker. */
  submit<A extends readonly unknown[], R>(fn: (...args: A) => R | Promise<R>, ...args: A): Future<R> {
    return this.submitWith({}, fn, ...args);
  }

  /** Like `submit`, with options. */
  submitWith<A extends readonly unknown[], R>(
    options: CallOptions,
    fn: (...args: A) => R | Promise<R>,
    ...args: A
  ): Future<R> {
    this.#assertOpen();
    const { submitted } = this.#ledger.knownAs(fn as AnyFunction, "submit", options);
    const future = submitted.add(args) as Future<R>;
    this.#ledger.account(fn as AnyFunction).parallel++;
    this.#crew.add(submitted);
    this.#crew.scheduleSoon();
    return future;
  }

  /** Calls `fn` in a worker and waits for its result. */
  async apply<A extends readonly unknown[], R>(fn: (...args: A) => R | Promise<R>, ...args: A): Promise<R> {
    return await this.submit(fn, ...args).result();
  }

  /** What was decided so far, and why; and the objects there are. */
  explain(): Explanation {
    return { functions: this.#ledger.explain(this.#workers), objects: objectStats() };
  }

  /**
   * Takes no more calls, waits for those there are, and ends the workers. An `imap` that was begun is waited for until
   * it is at its end or left.
   */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#underWay.size > 0 || this.#crew.busy)
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    await this.#crew.close();
  }

  /** Ends the workers now. What has no result yet gets the error `pool.terminated`. */
  async terminate(): Promise<void> {
    this.#closed = true;
    const error = new PawlError("pool.terminated", "The pool was ended before this call had its result.");
    this.#terminated = error;
    for (const end of this.#underWay) end(error);
    this.#crew.failAll(error);
    await this.#crew.kill(error);
    await this.#crew.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  /** Something has ended: whoever waits for all of it looks again. */
  #tell(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }

  async #map(
    fn: AnyFunction,
    given: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions & { readonly errors?: "throw" | "collect" },
    face: "map" | "starmap",
  ): Promise<unknown[]> {
    this.#assertOpen();
    const { call } = this.#ledger.knownAs(fn, face, options);
    const signal = options.signal ?? never;
    signal.throwIfAborted();
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => {});
    const abort = () => stopped.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#underWay.add(stopped.reject);
    try {
      const items = Array.isArray(given) ? given : await Promise.race([gather(given), stopped.promise]);
      const collect = options.errors === "collect";
      const results: unknown[] = new Array(items.length);
      const account = this.#ledger.account(fn);
      const from = await Promise.race([
        this.#mapHere(fn, call, items, results, collect, signal, account),
        stopped.promise,
      ]);
      if (from === items.length) return results;
      account.parallel += items.length - from;
      const work = new Mapped(call, items, results, from, collect);
      const enough = () => this.#crew.isAtWork(work);
      const help = this.#mayInline(call) ? () => runAlongside({ fn, work, signal, enough }) : null;
      await this.#runToEnd(work, help, Promise.race([work.finished, stopped.promise]));
      return results;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#underWay.delete(stopped.reject);
      this.#tell();
    }
  }

  /** Runs items in this thread as long as they had better stay. Returns the index of the first that has not run. */
  async #mapHere(
    fn: AnyFunction,
    call: Call,
    items: readonly unknown[],
    results: unknown[],
    collect: boolean,
    signal: AbortSignal,
    account: Account,
  ): Promise<number> {
    if (!this.#mayInline(call)) {
      account.why = "only a worker can give what was asked for";
      return 0;
    }
    const spentBefore = call.cost.spentMs;
    const leave = (at: number) => {
      if (this.#terminated !== null) throw this.#terminated;
      const sample = {
        items: items.slice(at, at + SAMPLE),
        results: results.slice(Math.max(0, at - SAMPLE), at),
      };
      return this.#shouldLeave(call, items.length - at, spentBefore, sample, account);
    };
    if (call.cost.items > 0 && leave(0)) return 0;
    const { spread, cost } = call;
    const from = await runInline({ fn, spread, items, results, collect, cost, signal, leave });
    account.inline += from;
    return from;
  }

  async *#imap(
    fn: AnyFunction,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
    inOrder: boolean,
  ): AsyncGenerator<unknown, void, undefined> {
    this.#assertOpen();
    const { call } = this.#ledger.knownAs(fn, inOrder ? "imap" : "imapUnordered", options);
    const account = this.#ledger.account(fn);
    const signal = options.signal ?? never;
    const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    let ended = false;
    let work: Streamed | null = null;
    let intake: Intake | null = null;
    const stop = new Stop();
    const abort = () => {
      stop.now(signal.reason);
      work?.end();
    };
    signal.addEventListener("abort", abort, { once: true });
    const end = (error: unknown) => {
      stop.now(error);
      work?.wake();
    };
    this.#underWay.add(end);
    try {
      let from = 0;
      if (this.#mayInline(call)) {
        const length = Array.isArray(items) ? items.length : Number.POSITIVE_INFINITY;
        const spentBefore = call.cost.spentMs;
        const leave = (at: number, item: unknown, result: unknown) => {
          if (this.#terminated !== null) throw this.#terminated;
          const sample = { items: [item], results: [result] };
          return this.#shouldLeave(call, length - at, spentBefore, sample, account);
        };
        const left = yield* runInlineStream({ fn, source, cost: call.cost, signal, stop, account, leave });
        if (left === null) {
          ended = true;
          return;
        }
        from = left;
      } else account.why = "only a worker can give what was asked for";
      const streamed = new Streamed(call, from);
      work = streamed;
      this.#crew.add(streamed);
      const hasRoom = () =>
        streamed.under <
        this.#workers * 2 * batchSize(call.cost, call.chunkSize, Number.POSITIVE_INFINITY, this.#workers);
      const add = (item: unknown) => {
        streamed.add(item);
        account.parallel++;
      };
      const came = () => {
        this.#crew.schedule();
        streamed.wake();
      };
      intake = new Intake(source, hasRoom, add, came);
      for (;;) {
        signal.throwIfAborted();
        if (this.#terminated !== null) throw this.#terminated;
        intake.fill();
        this.#crew.schedule();
        const outcome = streamed.next(inOrder);
        if (outcome !== null) {
          if ("error" in outcome) throw outcome.error;
          yield outcome.value;
        } else if (streamed.under > 0 || intake.pending) await streamed.came();
        else if (intake.failure !== null) throw intake.failure.error;
        else if (intake.ended) return;
      }
    } finally {
      signal.removeEventListener("abort", abort);
      if (work !== null) {
        work.end();
        this.#crew.drop(work, "nobody waits for it any more");
      }
      this.#underWay.delete(end);
      this.#tell();
      if (intake !== null) await intake.end();
      else if (!ended) {
        const returned = source.return?.();
        if (returned !== undefined && "then" in returned) await stop.or(returned);
      }
    }
  }

  async #runToEnd(work: Mapped, help: (() => Promise<void>) | null, finished: Promise<void>): Promise<void> {
    this.#crew.add(work);
    if (help === null) this.#crew.schedule();
    else void this.#crew.scheduleWith(help);
    try {
      await finished;
    } catch (error) {
      work.stop(error);
      throw error;
    } finally {
      this.#crew.drop(work, "the call it belongs to has ended");
    }
  }

  #shouldLeave(
    call: Call,
    left: number,
    spentBefore: number,
    sample: { readonly items: readonly unknown[]; readonly results: readonly unknown[] },
    account: Account,
  ): boolean {
    try {
      if (call.cost.transportMs === null) measureTransport(call.cost, sample.items, sample.results);
    } catch (error) {
      // Here they have their results; there they would be errors.
      const why = error instanceof Error ? error.message : String(error);
      account.why = `the items or their results cannot be sent to a worker (${why})`;
      return false;
    }
    const prospect = { cost: call.cost, left, spentBefore, workers: this.#workers };
    const ready = this.#crew.isReady;
    const leave = paysOff({ ...prospect, warm: ready });
    account.why = leave
      ? "the items cost enough to pay for sending them"
      : "sending the items would cost more than it saves";
    if (!leave || ready || blocks(call.cost)) return leave;
    // This thread goes on while they start.
    this.#crew.grow(left, OTHER_CORES);
    return false;
  }

  /** What only a worker can do is not tried here; neither is what was cut into chunks on purpose. */
  #mayInline({ limit, chunkSize }: Call): boolean {
    const { isolate, init, maxTasksPerWorker, maxMemoryPerWorker, maxHeapPerWorker } = this.#options;
    return (
      isolate !== "process" &&
      limit === null &&
      chunkSize === null &&
      init === undefined &&
      maxTasksPerWorker === undefined &&
      maxMemoryPerWorker === undefined &&
      maxHeapPerWorker === undefined
    );
  }

  #assertOpen(): void {
    if (isLoading()) throw unguarded();
    if (this.#closed) throw new PawlError("pool.closed", "The pool is closed and takes no more calls.");
  }
}

async function gather(items: Iterable<unknown> | AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Of calls that were given no signal. */
const never = new AbortController().signal;
