import { assertObject, assertOptions, quoted } from "../../arguments.ts";
import type { Duration } from "../../durations.ts";
import { errorReason, isOf } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { type Future, type MapOptions, Pool, type TimeLimit, TimeLimitError } from "../../pool/index.ts";
import { type AnyFunction, type FunctionFacts, functionFacts, pack, workersOf } from "../../pool/internal.ts";
import { bytes, type Size } from "../../sizes.ts";
import { isThenable } from "../../thenable.ts";
import { fillArguments } from "./arguments.ts";
import type { DelayedCall } from "./call.ts";
import { DelayedError } from "./error.ts";
import { type Plan, planFor, ReadyCalls } from "./plan.ts";
import { Results, sizeOf } from "./results.ts";

/** How the calls of a graph run. */
export interface ComputeOptions {
  /**
   * Calls that run at once, each in a worker of its own.
   * @default one for each core, or one for each worker of `pool`
   */
  readonly concurrency?: number;
  /**
   * What results may take that wait for calls which need them; past it, those needed last wait in files of the temporary directory.
   * Refs, which `put` makes, are not counted: they have a quota of their own.
   * @default "1GB"
   */
  readonly memory?: Size;
  /**
   * How long one call may run: a hard limit, or a soft and a hard one.
   * @default no limit
   */
  readonly timeout?: Duration | TimeLimit;
  /**
   * Workers that are there already, and stay when the results are there.
   * @default a pool of its own, which is ended before the results are given
   */
  readonly pool?: Pool;
  /**
   * Stops the calls: those that wait are not made, and those that run are ended with their workers. Calls in a `pool` that was given
   * run to their end, unheard.
   * @default nothing but an error stops them
   */
  readonly signal?: AbortSignal;
  /**
   * Is told how far it is: at most ten times a second, and at the end.
   * @default nothing is told
   */
  readonly onProgress?: (progress: ComputeProgress) => void;
}

/** How far a graph is. */
export interface ComputeProgress {
  /** Calls that have a result. */
  readonly done: number;
  /** Calls in all. */
  readonly total: number;
  /** Calls that run, or were given to workers. */
  readonly running: number;
}

const MEMORY = "1GB";

/** Calls in the caller's thread after which the event loop has its turn, in milliseconds. */
const SLICE_MS = 5;

/** A function of which so many calls were measured is known. */
const KNOWN_CALLS = 16;

/** A call that takes less, in milliseconds, costs less than sending it to a worker. */
const CHEAP_MS = 0.01;

/** The same where no other call is waiting, so that workers would only add the time of two messages. */
const CHEAP_ALONE_MS = 0.08;

/** Calls are given to workers ahead for so long, in milliseconds, so that none waits for a message. */
const AHEAD_MS = 5;
const MOST_AHEAD = 4_096;

/** An object of so many bytes is copied in less time than a message takes. */
const SMALL_BYTES = 65_536;

const PROGRESS_MS = 100;

/** The results of some delayed calls, in their order. Throws what `Delayed.compute` throws. */
export async function computeCalls(
  outputs: readonly DelayedCall[],
  options: ComputeOptions,
): Promise<unknown[]> {
  assertComputeOptions(options);
  const { signal, pool, concurrency } = options;
  signal?.throwIfAborted();
  if (pool !== undefined) return await new Run(planFor(outputs), outputs, pool, options).results();
  const own = new Pool(concurrency === undefined ? {} : { workers: concurrency });
  try {
    return await new Run(planFor(outputs), outputs, own, options).results();
  } finally {
    await own.terminate();
  }
}

function assertComputeOptions(options: ComputeOptions): void {
  assertOptions(
    options,
    { concurrency: true, memory: true, timeout: true, pool: true, signal: true, onProgress: true },
    "compute",
  );
  const { concurrency, pool, signal, onProgress } = options;
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1))
    refuse("concurrency", "a whole number, at least 1", concurrency);
  if (pool !== undefined && !(pool instanceof Pool)) refuse("pool", "a Pool", pool);
  if (signal !== undefined) {
    assertObject(signal, "The option signal");
    if (typeof signal.throwIfAborted !== "function") refuse("signal", "an AbortSignal", signal);
  }
  if (onProgress !== undefined && typeof onProgress !== "function")
    refuse("onProgress", "a function", onProgress);
}

function refuse(name: string, wanted: string, given: unknown): never {
  throw new PawlError("delayed.option", `The option ${name} must be ${wanted}, not ${quoted(given)}.`);
}

/** The calls of one graph while they are made. */
class Run {
  readonly #plan: Plan;
  readonly #outputs: readonly DelayedCall[];
  readonly #pool: Pool;
  readonly #options: ComputeOptions;
  readonly #results: Results;
  readonly #ready = new ReadyCalls();
  /** By number: results that a call still waits for. */
  readonly #waiting: Int32Array;
  /** By number: what still needs its result. */
  readonly #needed: Int32Array;
  /** By number: 1 once it has a result. */
  readonly #isDone: Uint8Array;
  readonly #isOutput: Uint8Array;
  readonly #facts = new Map<AnyFunction, FunctionFacts | null>();
  readonly #futures = new Set<Future<unknown>>();
  readonly #end = Promise.withResolvers<void>();
  #ended = false;
  #scheduled = false;
  #done = 0;
  #inFlight = 0;

  readonly #least: number;
  readonly #most: number;
  #window: number;
  #completed = 0;
  #completedSince = performance.now();
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(plan: Plan, outputs: readonly DelayedCall[], pool: Pool, options: ComputeOptions) {
    const { calls, numbers, users } = plan;
    this.#plan = plan;
    this.#outputs = outputs;
    this.#pool = pool;
    this.#options = options;
    this.#waiting = Int32Array.from(calls, ({ taken }) => taken.needs.length);
    this.#needed = Int32Array.from(users, ({ length }) => length);
    this.#isDone = new Uint8Array(calls.length);
    this.#isOutput = new Uint8Array(calls.length);
    for (const output of outputs) {
      const number = numbers.get(output) as number;
      this.#isOutput[number] = 1;
    }
    const memory = bytes(options.memory ?? MEMORY, "The option memory");
    this.#results = new Results(calls.length, memory, (number) => this.#nextUse(number));
    const { concurrency } = options;
    const workers = workersOf(pool);
    this.#least = Math.min(concurrency ?? workers, workers);
    // In a pool that others use too, more calls at once than were asked for cannot be kept from running.
    this.#most = concurrency !== undefined && concurrency < workers ? concurrency : MOST_AHEAD;
    this.#window = this.#least;
  }

  async results(): Promise<unknown[]> {
    const { signal } = this.#options;
    const abort = () => this.#stop({ error: signal?.reason });
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for (const [number, waiting] of this.#waiting.entries()) if (waiting === 0) this.#ready.add(number);
      if (this.#plan.calls.length === 0) this.#stop(null);
      this.#next();
      await this.#end.promise;
      return this.#outputs.map((output) => this.#results.get(this.#numberOf(output)));
    } finally {
      signal?.removeEventListener("abort", abort);
      await this.#results.close();
    }
  }

  #numberOf(call: DelayedCall): number {
    return this.#plan.numbers.get(call) as number;
  }

  #call(number: number): DelayedCall {
    return this.#plan.calls[number] as DelayedCall;
  }

  /** Makes the calls that can be made: what costs less than sending it here, all else in workers, as many as they need to have. */
  #next(): void {
    this.#scheduled = false;
    const until = performance.now() + SLICE_MS;
    while (!this.#ended) {
      if (this.#results.isOverfull) {
        this.#window = this.#least;
        this.#relieve();
        return;
      }
      const number = this.#ready.take();
      if (number === null) return;
      if (this.#isCheap(number)) {
        if (this.#callHere(number) < until) continue;
        setImmediate(() => this.#next());
        this.#scheduled = true;
        return;
      }
      if (this.#inFlight >= this.#window) {
        this.#ready.add(number);
        return;
      }
      void this.#send(number);
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    // Results that arrive together are looked at together.
    queueMicrotask(() => this.#next());
  }

  /** No call is given out meanwhile, so that what is held does not grow while it is written. */
  #relieve(): void {
    this.#scheduled = true;
    this.#results.relieve().then(
      () => this.#next(),
      (error) => this.#stop({ error }),
    );
  }

  #isCheap(number: number): boolean {
    const { fn } = this.#call(number);
    let facts = this.#facts.get(fn);
    if (facts === undefined) {
      // Only a worker can be ended in time.
      facts = this.#options.timeout === undefined ? functionFacts(this.#pool, fn) : null;
      this.#facts.set(fn, facts);
    }
    if (facts === null || facts.cost.items < KNOWN_CALLS) return false;
    const itemMs = facts.cost.itemMs ?? Number.POSITIVE_INFINITY;
    return itemMs < CHEAP_MS || (itemMs < CHEAP_ALONE_MS && this.#ready.size + this.#inFlight < this.#least);
  }

  /** Calls a function in the caller's thread, with copies as a worker would get them. Tells the time after it. */
  #callHere(number: number): number {
    const { fn, taken } = this.#call(number);
    let args: readonly unknown[] | null = null;
    if (!taken.needs.some((need) => this.#results.isSpilled(this.#numberOf(need))))
      args = copies(fillArguments(taken, (need) => this.#results.get(this.#numberOf(need))));
    const facts = this.#facts.get(fn);
    if (args === null || facts === null || facts === undefined) {
      void this.#send(number);
      return performance.now();
    }
    const began = performance.now();
    try {
      const returned = (fn as (...args: unknown[]) => unknown)(...args);
      const now = performance.now();
      facts.cost.observe(1, now - began);
      facts.account.inline++;
      facts.account.why = "sending the items would cost more than it saves";
      if (isThenable(returned)) void this.#await(number, returned);
      else this.#settle(number, copyOfResult(returned));
      return now;
    } catch (error) {
      this.#fail(number, error);
      return began;
    }
  }

  async #await(number: number, returned: PromiseLike<unknown>): Promise<void> {
    this.#inFlight++;
    try {
      const value = copyOfResult(await returned);
      this.#inFlight--;
      this.#settle(number, value);
    } catch (error) {
      this.#inFlight--;
      this.#fail(number, error);
    }
    this.#schedule();
  }

  async #send(number: number): Promise<void> {
    this.#inFlight++;
    const call = this.#call(number);
    const read = new Map<DelayedCall, unknown>();
    const isInFile = (need: DelayedCall) => !read.has(need) && this.#results.isSpilled(this.#numberOf(need));
    try {
      // While one is read, another may go to a file.
      for (
        let need = call.taken.needs.find(isInFile);
        need !== undefined;
        need = call.taken.needs.find(isInFile)
      )
        read.set(need, await this.#results.read(this.#numberOf(need)));
    } catch (error) {
      this.#stop({ error });
    }
    if (this.#ended) return;
    const args = fillArguments(call.taken, (need) =>
      read.has(need) ? read.get(need) : this.#results.get(this.#numberOf(need)),
    );
    // A worker gives a function that takes more than it is given a context, which means nothing here.
    while (args.length < call.fn.length) args.push(undefined);
    let future: Future<unknown>;
    try {
      const options = this.#apart(call, args);
      future = this.#pool.submitWith(options, call.fn as (...args: unknown[]) => unknown, ...args);
    } catch (error) {
      this.#stop({ error });
      return;
    }
    this.#futures.add(future);
    try {
      const value = await future.result();
      this.#completeOne(future);
      this.#settle(number, value);
    } catch (error) {
      this.#completeOne(future);
      this.#fail(number, error);
    }
    this.#schedule();
  }

  /**
   * The options of a call. Calls that reach a worker together would share the objects among their arguments, and see what
   * another one changes: so each gets a copy of a small one, and is sent alone with a large one.
   */
  #apart({ taken }: DelayedCall, args: unknown[]): MapOptions {
    const { timeout } = this.#options;
    const options = timeout === undefined ? {} : { timeout };
    let isSmall = true;
    const isShared = taken.needs.some((need) => {
      const number = this.#numberOf(need);
      const value = this.#results.get(number);
      if (typeof value !== "object" || value === null || (this.#needed[number] ?? 0) < 2) return false;
      isSmall &&= sizeOf(value) <= SMALL_BYTES;
      return true;
    });
    if (!isShared) return options;
    const copied = isSmall ? copies(args) : null;
    if (copied === null) return { ...options, chunkSize: 1 };
    args.splice(0, args.length, ...copied);
    return options;
  }

  /** Gives out as many calls ahead as workers need for the time of a few messages: one each, where calls take long. */
  #completeOne(future: Future<unknown>): void {
    this.#futures.delete(future);
    this.#inFlight--;
    if (++this.#completed < this.#window) return;
    const now = performance.now();
    const ahead = Math.round((this.#completed / Math.max(0.1, now - this.#completedSince)) * AHEAD_MS);
    this.#window = Math.min(this.#most, Math.max(this.#least, ahead));
    this.#completed = 0;
    this.#completedSince = now;
  }

  #settle(number: number, value: unknown): void {
    if (this.#ended) return;
    this.#isDone[number] = 1;
    this.#done++;
    this.#results.set(number, value);
    for (const need of this.#call(number).taken.needs) {
      const needed = this.#numberOf(need);
      if (lessOne(this.#needed, needed) === 0 && this.#isOutput[needed] === 0) this.#results.release(needed);
    }
    for (const user of this.#plan.users[number] ?? [])
      if (lessOne(this.#waiting, user) === 0) this.#ready.add(user);
    this.#tell();
    if (this.#done === this.#plan.calls.length) this.#stop(null);
  }

  #tell(): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const now = performance.now();
    const total = this.#plan.calls.length;
    if (now - this.#toldAt < PROGRESS_MS && this.#done < total) return;
    this.#toldAt = now;
    try {
      onProgress({ done: this.#done, total, running: this.#inFlight });
    } catch (error) {
      this.#stop({ error });
    }
  }

  /** The number of the call that will need this result first; null for what was asked for, which stays. */
  #nextUse(number: number): number | null {
    if (this.#isOutput[number] === 1) return null;
    return this.#plan.users[number]?.find((user) => this.#isDone[user] === 0) ?? null;
  }

  #fail(number: number, cause: unknown): void {
    if (this.#ended) return;
    const reason = isOf(cause, TimeLimitError) ? "it ran longer than its timeout" : errorReason(cause);
    this.#stop({ error: new DelayedError(reason, this.#pathTo(number), { cause }) });
  }

  /** The shortest way from a result that was asked for, by names. */
  #pathTo(number: number): string[] {
    const from = new Map<number, number | null>([[number, null]]);
    // A map is walked in the order in which it grows.
    for (const [each] of from) {
      if (this.#isOutput[each] === 1) {
        const path: string[] = [];
        for (let at: number | null = each; at !== null; at = from.get(at) ?? null)
          path.push(this.#call(at).name);
        return path;
      }
      for (const user of this.#plan.users[each] ?? []) if (!from.has(user)) from.set(user, each);
    }
    return [this.#call(number).name];
  }

  #stop(failure: { readonly error: unknown } | null): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const future of this.#futures) future.cancel({ reason: "the graph that it belongs to has ended" });
    if (failure === null) this.#end.resolve();
    else this.#end.reject(failure.error);
  }
}

/** Takes one from a count, and gives what is left. */
function lessOne(counts: Int32Array, at: number): number {
  const left = (counts[at] as number) - 1;
  counts[at] = left;
  return left;
}

/** Arguments as a worker would get them; null where only a worker can get them: with refs, or with what cannot be sent. */
function copies(args: readonly unknown[]): readonly unknown[] | null {
  if (!args.some(isObject)) return args;
  try {
    const { value, handles } = pack(args, "thread");
    return handles.length > 0 ? null : (structuredClone(value) as unknown[]);
  } catch {
    return null;
  }
}

function isObject(value: unknown): boolean {
  return (
    (typeof value === "object" && value !== null) || typeof value === "function" || typeof value === "symbol"
  );
}

/** A result as it would come from a worker. What has refs in it is given as it is. */
function copyOfResult(result: unknown): unknown {
  if (!isObject(result)) return result;
  const { value, handles } = pack(result, "thread");
  return handles.length > 0 ? result : structuredClone(value);
}
