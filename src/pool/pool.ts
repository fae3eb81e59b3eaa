import { availableParallelism } from "node:os";
import { PawlError } from "../errors.ts";
import type { AnyFunction } from "./callable/callable.ts";
import { referenceTo } from "./callable/reference.ts";
import { type FunctionExplanation, Ledger } from "./calls/function-registry.ts";
import { type Means, runMap } from "./calls/map.ts";
import { mayInline } from "./calls/placement.ts";
import { streamMap } from "./calls/stream.ts";
import type { Future } from "./future.ts";
import { Lifetime } from "./lifetime.ts";
import type { CallOptions, Collecting, ItemContext, MapOptions, PoolOptions, Settled } from "./options.ts";
import { checkPoolOptions } from "./options.ts";
import { objectStats } from "./shared/objects/objects.ts";
import type { ObjectStats } from "./shared/objects/options.ts";
import { whyUnsendable } from "./transfer/cloneable.ts";
import { type Isolation, type Packed, pack } from "./transfer/portable.ts";
import { entryOf } from "./worker/entry.ts";
import { Crew } from "./worker/worker-pool.ts";

const IDLE_MS = 10_000;

type ErrorsOption = MapOptions & { readonly errors?: "throw" | "collect" };

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
  readonly #crew: Crew;
  readonly #ledger: Ledger;
  readonly #lifetime = new Lifetime();
  readonly #means: Means;

  constructor(options: PoolOptions<Init> = {}) {
    checkPoolOptions(options);
    const { workers = availableParallelism(), isolate = "thread", init, initArgument } = options;
    // Better now than when the first worker is wanted.
    entryOf(isolate);
    const setup = {
      init: init === undefined ? null : referenceTo(init, "the pool's init"),
      initArgument: packArgument(initArgument, isolate),
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
      () => this.#lifetime.tell(),
    );
    this.#ledger = new Ledger(this.#crew.reach);
    this.#means = {
      crew: this.#crew,
      ledger: this.#ledger,
      lifetime: this.#lifetime,
      workers,
      mayInline: mayInline(options),
    };
  }

  /**
   * Calls `fn` with each item and resolves with the results in order. The first error stops it. An array is taken at the call:
   * what is put into it or taken out later changes nothing. An item that is an object is sent as it is by then.
   */
  map<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & { readonly errors?: "throw" },
  ): Promise<R[]>;
  /** The same, but each result says whether it is one: `{ status, value }`, or `{ status, reason }` for an error. */
  map<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions & Collecting,
  ): Promise<Settled<R>[]>;
  map(
    fn: AnyFunction,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: ErrorsOption = {},
  ): Promise<unknown[]> {
    return runMap(this.#means, { fn, given: items, options, face: "map" });
  }

  /** Like `map`, with the elements of each item as arguments. */
  starmap<A extends readonly unknown[], R>(
    fn: (...args: A) => R | Promise<R>,
    items: Iterable<A> | AsyncIterable<A>,
    options?: MapOptions & { readonly errors?: "throw" },
  ): Promise<R[]>;
  /** The same, with results as of Promise.allSettled. */
  starmap<A extends readonly unknown[], R>(
    fn: (...args: A) => R | Promise<R>,
    items: Iterable<A> | AsyncIterable<A>,
    options: MapOptions & Collecting,
  ): Promise<Settled<R>[]>;
  starmap(
    fn: AnyFunction,
    items: Iterable<readonly unknown[]> | AsyncIterable<readonly unknown[]>,
    options: ErrorsOption = {},
  ): Promise<unknown[]> {
    return runMap(this.#means, { fn, given: items, options, face: "starmap" });
  }

  /** Results in order, as they are asked for; items are taken as there is room. Memory is that of a few batches. */
  imap<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & { readonly errors?: "throw" },
  ): AsyncGenerator<R, void, undefined>;
  /** The same, with results as of Promise.allSettled: an error of an item does not end the iteration. */
  imap<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions & Collecting,
  ): AsyncGenerator<Settled<R>, void, undefined>;
  imap(
    fn: AnyFunction,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: ErrorsOption = {},
  ): AsyncGenerator<unknown, void, undefined> {
    return streamMap(this.#means, { fn, items, options, face: "imap" });
  }

  /** Like `imap`, but each result as soon as it is there. */
  imapUnordered<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & { readonly errors?: "throw" },
  ): AsyncGenerator<R, void, undefined>;
  /** The same, with results as of Promise.allSettled; the place of an item that failed is the `index` of its error. */
  imapUnordered<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions & Collecting,
  ): AsyncGenerator<Settled<R>, void, undefined>;
  imapUnordered(
    fn: AnyFunction,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: ErrorsOption = {},
  ): AsyncGenerator<unknown, void, undefined> {
    return streamMap(this.#means, { fn, items, options, face: "imapUnordered" });
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
    this.#lifetime.assertOpen();
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
    return { functions: this.#ledger.explain(this.#means.workers), objects: objectStats() };
  }

  /**
   * Takes no more calls, waits for those there are, and ends the workers. An `imap` that was begun is waited for until
   * it is at its end or left.
   */
  async close(): Promise<void> {
    this.#lifetime.close();
    await this.#lifetime.quiet(() => this.#crew.busy);
    await this.#crew.close();
  }

  /** Ends the workers now. What has no result yet gets the error `pool.terminated`. */
  async terminate(): Promise<void> {
    const error = new PawlError("pool.terminated", "The pool was ended before this call had its result.");
    this.#lifetime.terminate(error);
    this.#crew.failAll(error);
    await this.#crew.kill(error);
    await this.#crew.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}

/** What is given to `init`, on its way to each worker. */
function packArgument(argument: unknown, to: Isolation): Packed {
  let why: string | null;
  try {
    const packed = pack(argument, to);
    why = whyUnsendable(packed, to);
    if (why === null) return packed;
  } catch (error) {
    if (error instanceof PawlError) throw error;
    why = error instanceof Error ? error.message : String(error);
  }
  throw new PawlError(
    "pool.unsendable",
    `The initArgument of a pool cannot be sent to a worker (${why.replace(/\.$/, "")}): pass plain data.`,
  );
}
