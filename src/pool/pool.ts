import { availableParallelism } from "node:os";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { PawlError } from "../errors.ts";
import type { Call, TimeLimit } from "./call.ts";
import { isLoading, unguarded } from "./callable.ts";
import type { ItemContext } from "./context.ts";
import { batchSize, Cost } from "./cost.ts";
import { measureTransport, paysOff, speedUp } from "./decide.ts";
import type { Future } from "./future.ts";
import { runInline } from "./inline-run.ts";
import { runInlineStream } from "./inline-stream.ts";
import { Mapped, type Settled } from "./mapped.ts";
import { type Isolation, pack } from "./portable.ts";
import { referenceTo } from "./reference.ts";
import { Streamed } from "./streamed.ts";
import { Submitted } from "./submitted.ts";
import type { Work } from "./work.ts";
import type { WorkerSetup } from "./worker/protocol.ts";
import { Slot } from "./worker/slot.ts";

type AnyFunction = (...args: never[]) => unknown;

export interface PoolOptions<Init = unknown> {
  /** Workers at most. Default: one a core. They start when they are needed. */
  readonly workers?: number;
  /**
   * `thread` (the default): starts fast and can share memory. `process`: a crash or a leak is its own, and native code
   * can be ended too.
   */
  readonly isolate?: Isolation;
  /** Runs once in each worker; what it returns reaches every call as `context.init`. */
  readonly init?: (argument: never) => Init | Promise<Init>;
  /** What `init` is given. */
  readonly initArgument?: unknown;
  /** A worker is replaced after so many items. */
  readonly maxTasksPerWorker?: number;
  /** A worker that uses more bytes is replaced between two batches. A process: all its memory; a thread: its heap. */
  readonly maxMemoryPerWorker?: number;
  /** A worker with nothing to do ends after so many milliseconds. Default 10,000. */
  readonly idle?: number;
}

export interface CallOptions {
  /** How long one item may run, counted from its own start, in milliseconds or as soft and hard limit. */
  readonly timeout?: number | TimeLimit;
  /** How often an item that killed its worker is given to another. Default 0. */
  readonly crashRetries?: number;
}

export interface MapOptions extends CallOptions {
  /** Items a batch. Default: measured as it runs, about 10 ms of work, fewer towards the end. */
  readonly chunkSize?: number;
  /** Stops the call: items that wait are not begun, those that run are told by their signal. */
  readonly signal?: AbortSignal;
}

/** What a call decided, and by which figures. */
export interface Explanation {
  readonly function: string;
  /** Items that ran in the caller's thread, and in workers. */
  readonly inline: number;
  readonly parallel: number;
  readonly itemMs: number | null;
  readonly transportMs: number | null;
  readonly chunk: number;
  readonly workers: number;
  /** Expected of workers over one thread. */
  readonly speedUp: number | null;
  readonly why: string;
}

interface Known {
  readonly call: Call;
  readonly submitted: Submitted;
}

interface Account {
  inline: number;
  parallel: number;
  why: string;
}

const IDLE_MS = 10_000;
/** Items looked at to learn what sending them costs. */
const SAMPLE = 8;
/** Workers that die before they have done anything, one after the other, until the pool gives up. */
const STILLBORN = 3;

let calls = 0;

/**
 * Workers for functions: threads, or processes. A function is a `callable`, or an inline one that uses nothing from
 * outside. An idle pool lets the program end; `close` waits for what runs, `await using` ends it.
 */
export class Pool<Init = unknown> implements AsyncDisposable {
  readonly #options: PoolOptions<Init>;
  readonly #workers: number;
  readonly #isolation: Isolation;
  readonly #setup: WorkerSetup;
  readonly #slots = new Set<Slot>();
  readonly #works = new Set<Work>();
  readonly #known = new Map<AnyFunction, Map<string, Known>>();
  readonly #costs = new Map<AnyFunction, Cost>();
  readonly #accounts = new Map<AnyFunction, Account>();
  readonly #crashes = new Map<Work, Map<number, number>>();
  #scheduled = false;
  #closed = false;
  #terminated: PawlError | null = null;
  #stillborn = 0;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(options: PoolOptions<Init> = {}) {
    const { workers = availableParallelism(), isolate = "thread", init, initArgument } = options;
    if (!Number.isInteger(workers) || workers < 1) {
      throw new PawlError("pool.workers", "A pool needs a whole number of workers, at least 1.");
    }
    this.#options = options;
    this.#workers = workers;
    this.#isolation = isolate;
    const { value, packed } = pack(initArgument, isolate);
    this.#setup = {
      init: init === undefined ? null : referenceTo(init, "the pool's init"),
      initArgument: value,
      packed,
      watchMemory: options.maxMemoryPerWorker !== undefined,
    };
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
    const { submitted } = this.#knownAs(fn as AnyFunction, "submit", options);
    const future = submitted.add(args) as Future<R>;
    this.#account(fn as AnyFunction).parallel++;
    this.#works.add(submitted);
    this.#scheduleSoon();
    return future;
  }

  /** Calls `fn` in a worker and waits for its result. */
  async apply<A extends readonly unknown[], R>(fn: (...args: A) => R | Promise<R>, ...args: A): Promise<R> {
    return await this.submit(fn, ...args).result();
  }

  /** What was decided for each function so far, and why. */
  explain(): Explanation[] {
    return [...this.#accounts].map(([fn, { inline, parallel, why }]) => {
      const cost = this.#costOf(fn);
      return {
        function: fn.name === "" ? "(anonymous)" : fn.name,
        inline,
        parallel,
        itemMs: cost.itemMs,
        transportMs: cost.transportMs,
        chunk: batchSize(cost, null, Number.POSITIVE_INFINITY, this.#workers),
        workers: this.#workers,
        speedUp: speedUp(cost, this.#workers),
        why,
      };
    });
  }

  /** Takes no more calls, waits for those there are, and ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#busy) await yieldToLoop();
    await this.#endWorkers();
  }

  /** Ends the workers now. What has no result yet gets the error `pool.terminated`. */
  async terminate(): Promise<void> {
    this.#closed = true;
    const error = new PawlError("pool.terminated", "The pool was ended before this call had its result.");
    this.#terminated = error;
    this.#failAll(error);
    await Promise.all([...this.#slots].map((slot) => slot.kill(error)));
    await this.#endWorkers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  get #busy(): boolean {
    for (const work of this.#works) if (work.ready > 0) return true;
    for (const slot of this.#slots) if (slot.state === "busy") return true;
    return false;
  }

  async #map(
    fn: AnyFunction,
    given: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions & { readonly errors?: "throw" | "collect" },
    face: "map" | "starmap",
  ): Promise<unknown[]> {
    this.#assertOpen();
    const { call } = this.#knownAs(fn, face, options);
    const items = Array.isArray(given) ? given : await gather(given);
    const collect = options.errors === "collect";
    const results: unknown[] = new Array(items.length);
    const account = this.#account(fn);
    let from = 0;
    const signal = options.signal ?? never;
    signal.throwIfAborted();
    if (this.#mayInline(call)) {
      const leave = (at: number) => {
        const sample = {
          items: items.slice(at, at + SAMPLE),
          results: results.slice(Math.max(0, at - SAMPLE), at),
        };
        return this.#shouldLeave(call, items.length - at, sample, account);
      };
      if (!(call.cost.items > 0 && leave(0))) {
        from = await runInline({
          fn,
          spread: call.spread,
          items,
          results,
          collect,
          cost: call.cost,
          signal,
          leave,
        });
      }
      account.inline += from;
    } else account.why = "only a worker can give what was asked for";
    if (from === items.length) return results;
    account.parallel += items.length - from;
    const work = new Mapped(call, items, results, from, collect);
    await this.#runToEnd(work, work.finished, signal, (reason) => work.stop(reason));
    return results;
  }

  async *#imap(
    fn: AnyFunction,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
    inOrder: boolean,
  ): AsyncGenerator<unknown, void, undefined> {
    this.#assertOpen();
    const { call } = this.#knownAs(fn, inOrder ? "imap" : "imapUnordered", options);
    const account = this.#account(fn);
    const signal = options.signal ?? never;
    const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    let ended = false;
    let work: Streamed | null = null;
    const abort = () => work?.end();
    signal.addEventListener("abort", abort, { once: true });
    try {
      let from = 0;
      if (this.#mayInline(call)) {
        const length = Array.isArray(items) ? items.length : Number.POSITIVE_INFINITY;
        const leave = (at: number, item: unknown, result: unknown) => {
          if (this.#terminated !== null) throw this.#terminated;
          const sample = { items: [item], results: [result] };
          return this.#shouldLeave(call, length - at, sample, account) && this.#standsReady(length - at);
        };
        const left = yield* runInlineStream({ fn, source, cost: call.cost, signal, account, leave });
        if (left === null) {
          ended = true;
          return;
        }
        from = left;
      } else account.why = "only a worker can give what was asked for";
      work = new Streamed(call, from);
      this.#works.add(work);
      for (;;) {
        signal.throwIfAborted();
        const room =
          this.#workers * 2 * batchSize(call.cost, call.chunkSize, Number.POSITIVE_INFINITY, this.#workers);
        while (!ended && work.under < room) {
          const pulled = source.next();
          const next = pulled instanceof Promise ? await pulled : pulled;
          if (next.done) ended = true;
          else {
            work.add(next.value);
            account.parallel++;
          }
        }
        this.#schedule();
        const outcome = work.next(inOrder);
        if (outcome !== null) {
          if ("error" in outcome) throw outcome.error;
          yield outcome.value;
        } else if (work.under > 0) await work.came();
        else if (ended) return;
      }
    } finally {
      signal.removeEventListener("abort", abort);
      if (work !== null) {
        this.#works.delete(work);
        work.end();
        for (const slot of this.#slots) slot.cancel(work, "nobody waits for it any more");
      }
      if (!ended) await source.return?.();
    }
  }

  async #runToEnd(
    work: Work,
    finished: Promise<void>,
    signal: AbortSignal,
    stop: (reason: unknown) => void,
  ): Promise<void> {
    const abort = () => stop(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#works.add(work);
    this.#schedule();
    try {
      await finished;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#works.delete(work);
      this.#crashes.delete(work);
      for (const slot of this.#slots) slot.cancel(work, "the call it belongs to has ended");
    }
  }

  #shouldLeave(
    call: Call,
    left: number,
    sample: { readonly items: readonly unknown[]; readonly results: readonly unknown[] },
    account: Account,
  ): boolean {
    if (call.cost.transportMs === null) measureTransport(call.cost, sample.items, sample.results);
    const warm = this.#slots.size > 0;
    const leave = paysOff({ cost: call.cost, left, workers: this.#workers, warm });
    account.why = leave
      ? "the items cost enough to pay for sending them"
      : "sending the items would cost more than it saves";
    return leave;
  }

  /** Whether a worker could take a batch; if not, some are started for as many items, and this thread goes on meanwhile. */
  #standsReady(left: number): boolean {
    for (const { state } of this.#slots) if (state === "idle" || state === "busy") return true;
    this.#grow(left);
    return false;
  }

  /** What only a worker can do is not tried here; neither is what was cut into chunks on purpose. */
  #mayInline({ limit, chunkSize }: Call): boolean {
    const { init, maxTasksPerWorker, maxMemoryPerWorker } = this.#options;
    return (
      this.#isolation === "thread" &&
      limit === null &&
      chunkSize === null &&
      init === undefined &&
      maxTasksPerWorker === undefined &&
      maxMemoryPerWorker === undefined
    );
  }

  #scheduleSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#schedule();
    });
  }

  /** Gives batches to idle workers, in turn from each call, and starts workers while there is more to do. */
  #schedule(): void {
    for (;;) {
      const work = this.#nextWork();
      if (work === null) break;
      const slot = this.#idleSlot();
      if (slot === null) {
        this.#grow(work.ready);
        break;
      }
      const { cost, chunkSize, limit } = work.call;
      const size = batchSize(cost, chunkSize, work.left, this.#workers);
      slot.run(work, work.take(Math.min(size, work.ready, limit === null ? size : 64)));
    }
    this.#watchIdle();
  }

  #nextWork(): Work | null {
    for (const work of this.#works) {
      if (work.ready === 0) continue;
      // To the end of the line.
      this.#works.delete(work);
      this.#works.add(work);
      return work;
    }
    return null;
  }

  #idleSlot(): Slot | null {
    for (const slot of this.#slots) if (slot.state === "idle") return slot;
    return null;
  }

  #grow(items: number): void {
    let starting = 0;
    for (const slot of this.#slots) if (slot.state === "starting") starting++;
    for (; starting < items && this.#slots.size < this.#workers; starting++) this.#start();
  }

  #start(): void {
    const { maxTasksPerWorker = Number.POSITIVE_INFINITY, maxMemoryPerWorker = Number.POSITIVE_INFINITY } =
      this.#options;
    const slot = new Slot(
      {
        isolation: this.#isolation,
        setup: this.#setup,
        maxTasks: maxTasksPerWorker,
        maxMemory: maxMemoryPerWorker,
      },
      {
        idle: () => {
          this.#stillborn = 0;
          this.#schedule();
        },
        gone: (gone) => {
          this.#slots.delete(gone);
          if (gone.neverReady && ++this.#stillborn >= STILLBORN) {
            const sentence = `The pool's workers end before they begin: ${gone.why}.`;
            this.#failAll(new PawlError("pool.no-worker", sentence));
          }
          this.#schedule();
        },
        unready: (_slot, error) => this.#failAll(error),
        mayRetry: (work, index) => this.#mayRetry(work, index),
      },
    );
    this.#slots.add(slot);
  }

  #mayRetry(work: Work, index: number): boolean {
    const { crashRetries } = work.call;
    if (crashRetries === 0) return false;
    const counts = this.#crashes.get(work) ?? new Map<number, number>();
    this.#crashes.set(work, counts);
    const crashes = (counts.get(index) ?? 0) + 1;
    counts.set(index, crashes);
    return crashes <= crashRetries;
  }

  #failAll(error: unknown): void {
    for (const work of this.#works) {
      if (work instanceof Submitted) work.failAll(error);
      else if (work instanceof Mapped) work.stop(error);
      else if (work instanceof Streamed) work.fail(error);
    }
  }

  async #endWorkers(): Promise<void> {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
    await Promise.all([...this.#slots].map((slot) => slot.close()));
  }

  /** Ends workers that had nothing to do for long. The timer keeps no program alive. */
  #watchIdle(): void {
    if (this.#idleTimer !== null || this.#closed) return;
    const { idle = IDLE_MS } = this.#options;
    this.#idleTimer = setTimeout(
      () => {
        this.#idleTimer = null;
        const now = performance.now();
        for (const slot of this.#slots) {
          if (slot.state === "idle" && now - slot.idleSince >= idle) void slot.close();
        }
        if (this.#slots.size > 0) this.#watchIdle();
      },
      Math.max(10, idle),
    );
    this.#idleTimer.unref();
  }

  #assertOpen(): void {
    if (isLoading()) throw unguarded();
    if (this.#closed) throw new PawlError("pool.closed", "The pool is closed and takes no more calls.");
  }

  #costOf(fn: AnyFunction): Cost {
    const known = this.#costs.get(fn);
    if (known !== undefined) return known;
    const cost = new Cost();
    this.#costs.set(fn, cost);
    return cost;
  }

  #account(fn: AnyFunction): Account {
    const known = this.#accounts.get(fn);
    if (known !== undefined) return known;
    const account = { inline: 0, parallel: 0, why: "it was submitted" };
    this.#accounts.set(fn, account);
    return account;
  }

  #knownAs(fn: AnyFunction, face: string, options: MapOptions): Known {
    const spread = face === "submit" || face === "starmap";
    const { timeout, crashRetries = 0, chunkSize = null } = options;
    const limit = timeout === undefined ? null : typeof timeout === "number" ? { hard: timeout } : timeout;
    const key = `${spread} ${limit?.soft} ${limit?.hard} ${crashRetries} ${chunkSize}`;
    const ofFunction = this.#known.get(fn) ?? new Map<string, Known>();
    this.#known.set(fn, ofFunction);
    const known = ofFunction.get(key);
    if (known !== undefined) return known;
    const call: Call = {
      number: ++calls,
      reference: referenceTo(fn, `pool.${face}`),
      name: fn.name,
      spread,
      limit,
      crashRetries,
      chunkSize,
      cost: this.#costOf(fn),
    };
    const reach = {
      abort: (work: Work, index: number, reason: string) => {
        const slot = [...this.#slots].find((each) => each.has(work, index));
        slot?.abort(index, reason);
        return slot !== undefined;
      },
      kill: (work: Work, index: number, error: Error) => {
        const slot = [...this.#slots].find((each) => each.has(work, index));
        void slot?.kill(error, index);
        return slot !== undefined;
      },
    };
    const made = { call, submitted: new Submitted(call, reach) };
    ofFunction.set(key, made);
    return made;
  }
}

async function gather(items: Iterable<unknown> | AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Of calls that were given no signal. */
const never = new AbortController().signal;
