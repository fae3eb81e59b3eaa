import { errorReason, errorText } from "../error-text.ts";
import { PawlError } from "../errors.ts";
import type { AnyFunction } from "./callable/callable.ts";
import { referenceTo } from "./callable/reference.ts";
import type { Cost } from "./calls/cost.ts";
import {
  type FunctionAccount,
  type FunctionExplanation,
  FunctionRegistry,
} from "./calls/function-registry.ts";
import type { Settled } from "./calls/item-result.ts";
import { type PoolContext, runMap } from "./calls/map.ts";
import { mayRunInCaller } from "./calls/placement.ts";
import { streamMap } from "./calls/stream.ts";
import type { Future } from "./future.ts";
import { Lifetime } from "./lifetime.ts";
import type { CallOptions, Collecting, ItemContext, MapOptions, PoolOptions } from "./options.ts";
import { poolSettings } from "./options.ts";
import { objectStats } from "./shared/objects/objects.ts";
import type { ObjectStats } from "./shared/objects/options.ts";
import { type Isolation, whyUnsendable } from "./transfer/cloneable.ts";
import { type Packed, pack } from "./transfer/pack.ts";
import { entryOf } from "./worker/start-worker.ts";
import { WorkerPool } from "./worker/worker-pool.ts";

type ErrorsOption = MapOptions & { readonly errors?: "throw" | "collect" };

/** What `pool.explain()` tells. */
export interface Explanation {
  /** What was decided for each function so far, and by which figures: where its items run, and why. */
  readonly functions: readonly FunctionExplanation[];
  /** The objects that this thread has put, for any pool; those that were never disposed of count as `leaked`. */
  readonly objects: ObjectStats;
}

/** What a pool knows of a function that was submitted, or will be. */
export interface FunctionFacts {
  readonly cost: Cost;
  readonly account: FunctionAccount;
}

/**
 * What a pool knows of a function; null where its options keep functions out of the caller's thread. For a floor above, which
 * runs what costs less than sending it here, as `map` does.
 */
export let functionFacts: (pool: Pool, fn: AnyFunction) => FunctionFacts | null;

/** How many workers a pool may have. */
export let workersOf: (pool: Pool) => number;

/**
 * Workers for functions: threads, or processes. A function is a `callable`, or an inline one that uses nothing from
 * outside. An idle pool lets the program end; `close` waits for what runs, `await using` ends it.
 *
 * @example
 * ```ts
 * await using pool = new Pool();
 * const squares = await pool.map((x: number) => x * x, [1, 2, 3]);
 * console.log(squares); // [ 1, 4, 9 ]
 * ```
 */
export class Pool<Init = unknown> implements AsyncDisposable {
  readonly #workerPool: WorkerPool;
  readonly #functions: FunctionRegistry;
  readonly #lifetime = new Lifetime();
  readonly #context: PoolContext;

  /**
   * @throws PawlError `pool.option`, `pool.workers`, `argument.duration`, `argument.size` for an option that cannot be;
   * `pool.unsendable` for an `initArgument` that cannot be sent to a worker
   */
  constructor(options: PoolOptions<Init> = {}) {
    const settings = poolSettings(options);
    const { isolation } = settings;
    const { init, initArgument } = options;
    // A bundle that cannot start workers is an error now and not at the first call.
    entryOf(isolation);
    const setup = {
      init: init === undefined ? null : referenceTo(init, "the pool's init"),
      initArgument: packArgument(initArgument, isolation),
      maxMemory: settings.maxMemory,
    };
    this.#workerPool = new WorkerPool(settings, setup, () => this.#lifetime.changed());
    this.#functions = new FunctionRegistry(this.#workerPool.stopper);
    this.#context = {
      workerPool: this.#workerPool,
      functions: this.#functions,
      lifetime: this.#lifetime,
      mayRunInCaller: mayRunInCaller(options),
    };
  }

  /**
   * Calls `fn` with each item and resolves with the results in order. The first error stops it. An array is taken at the call:
   * what is put into it or taken out later changes nothing. An item that is an object is sent as it is by then. Items that
   * cost less than sending them run in the caller's thread.
   *
   * @example
   * ```ts
   * await using pool = new Pool();
   * const lengths = await pool.map((text: string) => text.length, ["a", "bb"]);
   * console.log(lengths); // [ 1, 2 ]
   * ```
   * @throws what `fn` throws, with the index of its item as its `index`; PawlError `pool.captured` and the like for a function that
   * cannot reach a worker, `pool.unsendable` for an item, `pool.unsendable-result` for a result; TimeLimitError `pool.timeout`;
   * WorkerDiedError `pool.worker-died`; PawlError `pool.option`, `pool.closed`, `pool.terminated`; the reason of an aborted
   * `signal`
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
    return runMap(this.#context, { fn, given: items, options, method: "map" });
  }

  /**
   * Like `map`, with the elements of each item as arguments.
   *
   * @throws as `map`
   * @example
   * ```ts
   * await using pool = new Pool();
   * const pairs: [number, number][] = [[1, 2], [3, 4]];
   * console.log(await pool.starmap((a: number, b: number) => a * b, pairs)); // [ 2, 12 ]
   * ```
   */
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
    return runMap(this.#context, { fn, given: items, options, method: "starmap" });
  }

  /**
   * Results in order, as they are asked for; items are taken as there is room. Memory is that of a few chunks.
   *
   * @throws as `map`
   * @example
   * ```ts
   * await using pool = new Pool();
   * for await (const square of pool.imap((x: number) => x * x, [1, 2, 3])) console.log(square); // 1, then 4, then 9
   * ```
   */
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
    return streamMap(this.#context, { fn, items, options, method: "imap" });
  }

  /**
   * Like `imap`, but each result as soon as it is there.
   *
   * @throws as `map`
   * @example
   * ```ts
   * await using pool = new Pool();
   * let sum = 0;
   * for await (const square of pool.imapUnordered((x: number) => x * x, [1, 2, 3])) sum += square;
   * console.log(sum); // 14
   * ```
   */
  imapUnordered<T, R>(
    fn: (item: T, context: ItemContext<Init>) => R | Promise<R>,
    items: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & { readonly errors?: "throw" },
  ): AsyncGenerator<R, void, undefined>;
  /** The same, with results as of Promise.allSettled; which item failed says the `index` of its error. */
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
    return streamMap(this.#context, { fn, items, options, method: "imapUnordered" });
  }

  /**
   * Calls `fn` in a worker.
   *
   * @throws PawlError `pool.closed`, and `pool.captured` and the like for a function that cannot reach a worker; the result of the
   * future rejects with what `fn` throws and with the errors of `map`
   * @example
   * ```ts
   * await using pool = new Pool();
   * const future = pool.submit((a: number, b: number) => a + b, 1, 2);
   * console.log(await future.result()); // 3
   * ```
   */
  submit<A extends readonly unknown[], R>(fn: (...args: A) => R | Promise<R>, ...args: A): Future<R> {
    return this.submitWith({}, fn, ...args);
  }

  /**
   * Like `submit`, with options.
   *
   * @throws as `submit`, and PawlError `pool.option` and `argument.duration` for an option that cannot be
   * @example
   * ```ts
   * await using pool = new Pool();
   * const future = pool.submitWith({ timeout: "5s", crashRetries: 1 }, (x: number) => x * x, 3);
   * console.log(await future.result()); // 9
   * ```
   */
  submitWith<A extends readonly unknown[], R>(
    options: CallOptions,
    fn: (...args: A) => R | Promise<R>,
    ...args: A
  ): Future<R> {
    this.#lifetime.assertOpen();
    const { submitted, account } = this.#functions.find(fn as AnyFunction, "submit", options);
    const future = submitted.submit(args) as Future<R>;
    account.parallel++;
    account.why = "it was submitted";
    this.#workerPool.add(submitted);
    this.#workerPool.scheduleSoon();
    return future;
  }

  /**
   * Calls `fn` in a worker and resolves with its result: `submit(…).result()`.
   *
   * @throws as `submit` and its future
   * @example
   * ```ts
   * await using pool = new Pool();
   * console.log(await pool.apply((a: number, b: number) => a + b, 1, 2)); // 3
   * ```
   */
  async apply<A extends readonly unknown[], R>(fn: (...args: A) => R | Promise<R>, ...args: A): Promise<R> {
    return await this.submit(fn, ...args).result();
  }

  /**
   * What was decided so far, and why; and the objects there are.
   *
   * @example
   * ```ts
   * await using pool = new Pool();
   * await pool.map((x: number) => x * x, [1, 2, 3]);
   * for (const { function: name, inline, parallel, why } of pool.explain().functions) console.log(name, inline, parallel, why);
   * ```
   */
  explain(): Explanation {
    return { functions: this.#functions.explain(this.#workerPool.maxWorkers), objects: objectStats() };
  }

  /**
   * Takes no more calls, waits for those there are, and ends the workers. An `imap` that was begun is waited for until
   * it is at its end or left.
   */
  async close(): Promise<void> {
    this.#lifetime.close();
    await this.#lifetime.quiet(() => this.#workerPool.busy);
    await this.#workerPool.close();
  }

  static {
    functionFacts = (pool, fn) =>
      pool.#context.mayRunInCaller ? factsOf(pool.#functions.find(fn, "submit", {})) : null;
    workersOf = (pool) => pool.#workerPool.maxWorkers;
  }

  /** Ends the workers now. What has no result yet gets the error `pool.terminated`. */
  async terminate(): Promise<void> {
    const error = new PawlError("pool.terminated", "The pool was ended before this call had its result.");
    this.#lifetime.terminate(error);
    this.#workerPool.failAll(error);
    await this.#workerPool.kill(error);
    await this.#workerPool.close();
  }

  /** The same as `terminate`, at the end of a block with `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}

function factsOf({ call, account }: ReturnType<FunctionRegistry["find"]>): FunctionFacts {
  return { cost: call.cost, account };
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
    why = errorText(error);
  }
  throw new PawlError(
    "pool.unsendable",
    `The initArgument of a pool cannot be sent to a worker (${errorReason(why)}): pass plain data.`,
  );
}
