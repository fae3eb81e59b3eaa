import { availableParallelism } from "node:os";
import { PawlError } from "../errors.ts";
import type { Call, TimeLimit } from "./call.ts";
import { isLoading, unguarded } from "./callable.ts";
import { checkMapOptions, checkPoolOptions } from "./checked.ts";
import type { ItemContext } from "./context.ts";
import { batchSize, Cost } from "./cost.ts";
import { measureTransport, paysOff, speedUp } from "./decide.ts";
import type { Future } from "./future.ts";
import { runInline } from "./inline-run.ts";
import { runInlineStream } from "./inline-stream.ts";
import { Intake } from "./intake.ts";
import { Mapped, type Settled } from "./mapped.ts";
import { type Isolation, pack } from "./portable.ts";
import { referenceTo } from "./reference.ts";
import { Stop } from "./stop.ts";
import { Streamed } from "./streamed.ts";
import { Submitted } from "./submitted.ts";
import type { Work } from "./work.ts";
import { entryOf } from "./worker/bundled.ts";
import type { WorkerSetup } from "./worker/protocol.ts";
import { Slot, type SlotEvents, type SlotOptions } from "./worker/slot.ts";

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
  /** A worker that uses more bytes is replaced between two items. A process: all its memory; a thread: its heap. */
  readonly maxMemoryPerWorker?: number;
  /** Bytes of JavaScript heap at which a worker dies, whatever it does. Default: what Node gives it, gigabytes. */
  readonly maxHeapPerWorker?: number;
  /** A worker with nothing to do ends after so many milliseconds. Default 10,000. */
  readonly idle?: number;
  /**
   * Milliseconds for a worker to start and run `init`, and for it to load a function. Calls then fail with the error
   * `pool.start-timeout`. Default: no limit, since a model may take its time.
   */
  readonly startTimeout?: number;
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

type FunctionKey = AnyFunction | string;

interface Known {
  readonly call: Call;
  readonly submitted: Submitted;
}

interface Account {
  /** Of the function. */
  readonly name: string;
  inline: number;
  parallel: number;
  why: string;
}

const IDLE_MS = 10_000;
/** Items looked at to learn what sending them costs. */
const SAMPLE = 8;
/** Workers that die before they have done anything, one after the other, until the pool gives up. */
const STILLBORN = 3;

/** The longest time a timer can take. */
const LONGEST_MS = 2 ** 31 - 1;

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
  readonly #known = new Map<FunctionKey, Map<string, Known>>();
  readonly #costs = new Map<FunctionKey, Cost>();
  readonly #accounts = new Map<FunctionKey, Account>();
  readonly #crashes = new WeakMap<Work, Map<number, number>>();
  /** What ends each of the maps under way. */
  readonly #underWay = new Set<(error: unknown) => void>();
  /** Who waits for the pool to have nothing to do. */
  readonly #waiting = new Set<() => void>();
  #scheduled = false;
  #closed = false;
  #terminated: PawlError | null = null;
  #stillborn = 0;
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(options: PoolOptions<Init> = {}) {
    checkPoolOptions(options);
    const { workers = availableParallelism(), isolate = "thread", init, initArgument } = options;
    // Better now than when the first worker is wanted.
    entryOf(isolate);
    this.#options = options;
    this.#workers = workers;
    this.#isolation = isolate;
    const { value, packed } = pack(initArgument, isolate);
    this.#setup = {
      init: init === undefined ? null : referenceTo(init, "the pool's init"),
      initArgument: value,
      packed,
      maxMemory: options.maxMemoryPerWorker ?? null,
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
    return [...this.#accounts].map(([key, { name, inline, parallel, why }]) => {
      const cost = this.#costs.get(key) ?? new Cost();
      return {
        function: name === "" ? "(anonymous)" : name,
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

  /**
   * Takes no more calls, waits for those there are, and ends the workers. An `imap` that was begun is waited for until
   * it is at its end or left.
   */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#busy) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    await this.#endWorkers();
  }

  /** Ends the workers now. What has no result yet gets the error `pool.terminated`. */
  async terminate(): Promise<void> {
    this.#closed = true;
    const error = new PawlError("pool.terminated", "The pool was ended before this call had its result.");
    this.#terminated = error;
    for (const end of this.#underWay) end(error);
    this.#failAll(error);
    await Promise.all([...this.#slots].map((slot) => slot.kill(error)));
    await this.#endWorkers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  get #busy(): boolean {
    if (this.#underWay.size > 0) return true;
    for (const work of this.#works) if (work.ready > 0) return true;
    for (const slot of this.#slots) if (slot.state === "busy") return true;
    return false;
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
    const { call } = this.#knownAs(fn, face, options);
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
      const account = this.#account(fn);
      const from = await Promise.race([
        this.#mapHere(fn, call, items, results, collect, signal, account),
        stopped.promise,
      ]);
      if (from === items.length) return results;
      account.parallel += items.length - from;
      const work = new Mapped(call, items, results, from, collect);
      await this.#runToEnd(work, Promise.race([work.finished, stopped.promise]));
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
    const leave = (at: number) => {
      if (this.#terminated !== null) throw this.#terminated;
      const sample = {
        items: items.slice(at, at + SAMPLE),
        results: results.slice(Math.max(0, at - SAMPLE), at),
      };
      return this.#shouldLeave(call, items.length - at, sample, account);
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
    const { call } = this.#knownAs(fn, inOrder ? "imap" : "imapUnordered", options);
    const account = this.#account(fn);
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
        const leave = (at: number, item: unknown, result: unknown) => {
          if (this.#terminated !== null) throw this.#terminated;
          const sample = { items: [item], results: [result] };
          return this.#shouldLeave(call, length - at, sample, account);
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
      this.#works.add(streamed);
      const hasRoom = () =>
        streamed.under <
        this.#workers * 2 * batchSize(call.cost, call.chunkSize, Number.POSITIVE_INFINITY, this.#workers);
      const add = (item: unknown) => {
        streamed.add(item);
        account.parallel++;
      };
      const came = () => {
        this.#schedule();
        streamed.wake();
      };
      intake = new Intake(source, hasRoom, add, came);
      for (;;) {
        signal.throwIfAborted();
        if (this.#terminated !== null) throw this.#terminated;
        intake.fill();
        this.#schedule();
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
        this.#works.delete(work);
        work.end();
        for (const slot of this.#slots) slot.cancel(work, "nobody waits for it any more");
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

  async #runToEnd(work: Mapped, finished: Promise<void>): Promise<void> {
    this.#works.add(work);
    this.#schedule();
    try {
      await finished;
    } catch (error) {
      work.stop(error);
      throw error;
    } finally {
      this.#works.delete(work);
      for (const slot of this.#slots) slot.cancel(work, "the call it belongs to has ended");
    }
  }

  #shouldLeave(
    call: Call,
    left: number,
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
    const prospect = { cost: call.cost, left, workers: this.#workers };
    const ready = this.#isReady;
    const leave = paysOff({ ...prospect, warm: ready });
    account.why = leave
      ? "the items cost enough to pay for sending them"
      : "sending the items would cost more than it saves";
    // This thread goes on while they start.
    if (leave && !ready) this.#grow(left);
    return leave && ready;
  }

  /** A worker could take a batch, now or when it has done what it has. */
  get #isReady(): boolean {
    for (const { state } of this.#slots) if (state === "idle" || state === "busy") return true;
    return false;
  }

  /** What only a worker can do is not tried here; neither is what was cut into chunks on purpose. */
  #mayInline({ limit, chunkSize }: Call): boolean {
    const { init, maxTasksPerWorker, maxMemoryPerWorker, maxHeapPerWorker } = this.#options;
    return (
      this.#isolation === "thread" &&
      limit === null &&
      chunkSize === null &&
      init === undefined &&
      maxTasksPerWorker === undefined &&
      maxMemoryPerWorker === undefined &&
      maxHeapPerWorker === undefined
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
      slot.run(work, work.take(Math.min(size, work.ready, slot.room, limit === null ? size : 64)));
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
    for (; starting < items && this.#slots.size < this.#workers; starting++) if (!this.#start()) return;
  }

  /** False when none could be started. */
  #start(): boolean {
    const { maxTasksPerWorker, maxHeapPerWorker, startTimeout } = this.#options;
    const options: SlotOptions = {
      isolation: this.#isolation,
      setup: this.#setup,
      maxTasks: maxTasksPerWorker ?? Number.POSITIVE_INFINITY,
      maxHeap: maxHeapPerWorker ?? null,
      startTimeout: startTimeout ?? Number.POSITIVE_INFINITY,
    };
    try {
      this.#slots.add(new Slot(options, this.#slotEvents));
      return true;
    } catch (error) {
      // Those there are do what there is to do.
      if (this.#slots.size > 0) return false;
      const why = error instanceof Error ? error.message : String(error);
      const sentence = `The pool cannot start a worker: ${why.replace(/\.$/, "")}.`;
      this.#failAll(
        error instanceof PawlError ? error : new PawlError("pool.no-worker", sentence, { cause: error }),
      );
      return false;
    }
  }

  readonly #slotEvents: SlotEvents = {
    idle: () => {
      this.#stillborn = 0;
      this.#schedule();
      this.#tell();
    },
    gone: (gone) => {
      this.#slots.delete(gone);
      if (gone.neverReady && ++this.#stillborn >= STILLBORN) {
        const sentence = `The pool's workers end before they begin: ${gone.why}.`;
        this.#failAll(new PawlError("pool.no-worker", sentence));
      }
      this.#schedule();
      this.#tell();
    },
    unready: (_slot, error) => this.#failAll(error),
    hopeless: (work, error) => this.#fail(work, error),
    mayRetry: (work, index) => this.#mayRetry(work, index),
  };

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
    for (const work of this.#works) this.#fail(work, error);
  }

  #fail(work: Work, error: unknown): void {
    if (work instanceof Submitted) work.failAll(error);
    else if (work instanceof Mapped) work.stop(error);
    else if (work instanceof Streamed) work.fail(error);
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
      Math.min(Math.max(10, idle), LONGEST_MS),
    );
    this.#idleTimer.unref();
  }

  #assertOpen(): void {
    if (isLoading()) throw unguarded();
    if (this.#closed) throw new PawlError("pool.closed", "The pool is closed and takes no more calls.");
  }

  #costOf(key: FunctionKey): Cost {
    const known = this.#costs.get(key);
    if (known !== undefined) return known;
    const cost = new Cost();
    this.#costs.set(key, cost);
    return cost;
  }

  #account(fn: AnyFunction): Account {
    const key = keyOf(fn);
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const account = { name: fn.name, inline: 0, parallel: 0, why: "it was submitted" };
    this.#accounts.set(key, account);
    return account;
  }

  #knownAs(fn: AnyFunction, face: string, options: MapOptions): Known {
    const spread = face === "submit" || face === "starmap";
    const { timeout, crashRetries = 0, chunkSize = null } = options;
    const limit = timeout === undefined ? null : typeof timeout === "number" ? { hard: timeout } : timeout;
    const key = `${spread} ${limit?.soft} ${limit?.hard} ${crashRetries} ${chunkSize}`;
    const reference = referenceTo(fn, `pool.${face}`);
    const functionKey = keyOf(fn);
    const ofFunction = this.#known.get(functionKey) ?? new Map<string, Known>();
    this.#known.set(functionKey, ofFunction);
    const known = ofFunction.get(key);
    if (known !== undefined) return known;
    checkMapOptions(options, limit);
    const call: Call = {
      number: ++calls,
      reference,
      name: fn.name,
      spread,
      limit,
      crashRetries,
      chunkSize,
      cost: this.#costOf(functionKey),
    };
    const reach = {
      abort: (work: Work, index: number, reason: string) => {
        const slot = [...this.#slots].find((each) => each.has(work, index));
        slot?.abort(index, reason);
        return slot !== undefined;
      },
      kill: (work: Work, index: number, error: Error) => {
        const slot = [...this.#slots].find((each) => each.has(work, index));
        slot?.killItem(index, error);
        return slot !== undefined;
      },
    };
    const made = { call, submitted: new Submitted(call, reach) };
    ofFunction.set(key, made);
    return made;
  }
}

/** Functions made anew for each call, of one text, are one function to a pool. */
function keyOf(fn: AnyFunction): FunctionKey {
  const reference = referenceTo(fn, "a pool");
  return reference.kind === "inline" ? reference.source : fn;
}

async function gather(items: Iterable<unknown> | AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Of calls that were given no signal. */
const never = new AbortController().signal;
