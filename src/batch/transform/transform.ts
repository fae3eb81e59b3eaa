import { setImmediate as yieldToLoop } from "node:timers/promises";
import { errorText } from "../../error-text.ts";
import { ItemError, PawlError } from "../../errors.ts";
import type { Settled } from "../../pool/index.ts";
import { retry } from "../../retry.ts";
import { retryAfterOfError } from "../../retry-after.ts";
import { PermanentError } from "../../tasks/index.ts";
import { isThenable } from "../../thenable.ts";
import { isTransient } from "../../transient-errors.ts";
import type { Chunk, Failure, Origin, TransformedItems } from "../contract.ts";
import type { AnyJob, TransformContext, TransformResult } from "../job/job.ts";
import { boundYoungGeneration } from "../job/memory.ts";
import { Semaphore } from "../semaphore.ts";
import { assertDelivered, type PreparedChunk } from "./prepared-chunk.ts";
import type { TransformWorkers } from "./transform-workers.ts";

/** Calls of a transform that wait side by side, over all shards of a process, where the job does not say. */
const CONCURRENCY = 32;
/** How long the transform may run before other shards, sockets and timers get their turn, in milliseconds. */
const YIELD_AFTER_MS = 8;
/** Slices that are under way in workers while the one before them is taken. */
const AHEAD = 2;
/** A transform is taken to wait, not to compute, if a call takes at least so long, and so many times its computing time. */
const WAITS_MS = 20;
const WAITS_TIMES = 4;
/** Calls that must have ended before the user is told how the transform waits. */
const ENOUGH_CALLS = 20;
/** How a shard, and an item in its transform, wait before they are tried again. */
export const TRY_AGAIN = { baseMs: 200, capMs: 5_000 };

/** How a sink turns results into its own form while they are made; see `OpenSink.pack`. */
type Pack = (results: Chunk<unknown>) => Promise<Chunk<unknown>>;

/** What a shard gives its chunks on their way through the transform. */
export interface TransformSignals {
  /** No further call begins; those under way may end. Aborts with `end` at the latest. */
  readonly stop: AbortSignal;
  /** The results of the calls under way are no longer needed. Transforms get it as their own signal. */
  readonly end: AbortSignal;
  /** Told of an error outside of the items, after which they are tried again. */
  onTrouble?(error: unknown): void;
}

export interface TransformOptions {
  readonly transform: NonNullable<AnyJob["transform"]>;
  /** Calls under way at once. Default 32. */
  readonly concurrency?: number | undefined;
  /** Where the transform may run beside this thread. */
  readonly workers?: TransformWorkers;
  /** How long an item is tried again while no other succeeds, in milliseconds; without it, it is not. */
  readonly patienceMs?: number;
  readonly tell?: (note: string) => void;
}

/**
 * The transform of a job, as a process runs it: calls that wait are under way side by side, those that compute go to
 * workers, results keep the order of the items. An item that failed for a reason outside of it is tried again alone.
 */
export class Transform {
  readonly transform: NonNullable<AnyJob["transform"]>;
  /** Holds the calls that are under way. */
  readonly calls: Semaphore;
  readonly concurrency: number;
  readonly workers: TransformWorkers | null;
  readonly patienceMs: number | null;
  readonly #tell: (note: string) => void;
  #begun = 0;
  #computedMs = 0;
  #waited = { calls: 0, ms: 0 };
  #told = false;
  /** When a call that waits, or one of a worker, last succeeded. */
  succeededAt = 0;

  constructor(options: TransformOptions) {
    this.transform = options.transform;
    const concurrency = options.concurrency ?? CONCURRENCY;
    this.concurrency = concurrency;
    this.calls = new Semaphore(() => concurrency);
    this.workers = options.workers ?? null;
    this.patienceMs = options.patienceMs ?? null;
    this.#tell = options.tell ?? (() => {});
  }

  /** How many items the first chunk has, when it is not known yet how long the transform takes. */
  get firstItems(): number {
    return this.concurrency;
  }

  /** Items that a chunk has at least: calls that wait take no longer together than one. */
  get leastItems(): number {
    if (this.#waits) return this.concurrency;
    return this.wantsWorkers ? (this.workers?.threads ?? 1) : 1;
  }

  /** The transform computes so much that workers should have it. */
  get wantsWorkers(): boolean {
    return this.workers?.worthwhile === true && !this.#waits;
  }

  /** Adds calls that began in this thread, and how long they computed until they returned. */
  computed(calls: number, ms: number): void {
    this.#begun += calls;
    this.#computedMs += ms;
    this.workers?.observe(calls, ms);
  }

  succeeded(): void {
    this.succeededAt = performance.now();
  }

  /** Adds a call that returned a promise, and how long that took. */
  waited(ms: number): void {
    this.#waited.calls++;
    this.#waited.ms += ms;
    if (this.#told || this.#waited.calls < ENOUGH_CALLS || !this.#waits) return;
    this.#told = true;
    const each = Math.round(this.#waited.ms / this.#waited.calls);
    this.#tell(
      `The transform waits about ${each} ms an item: up to ${this.concurrency} items are under way at once; concurrency of the job sets another number.`,
    );
  }

  get #waits(): boolean {
    const { calls, ms } = this.#waited;
    if (calls === 0) return false;
    return ms / calls >= Math.max(WAITS_MS, (WAITS_TIMES * this.#computedMs) / this.#begun);
  }

  /**
   * Runs the transform over a chunk, once: what it returns is kept until the chunk is committed. A sink that packs gets the
   * results as they are made, and only its packed form is kept.
   */
  async chunk(
    source: Chunk<unknown>,
    asked: number,
    signals: TransformSignals,
    pack: Pack = keep,
  ): Promise<PreparedChunk> {
    const transformed = new TransformedChunk(this, source, signals);
    const output = await pack(transformed);
    const { failures, skipped, sources } = transformed;
    return {
      source,
      output,
      failures,
      skipped,
      added: sources.length + skipped + failures.length - source.items,
      sourceIndex: (result) => transformed.sourceIndex(result),
      bytes: asked,
    };
  }
}

/** In the place of a result: the item failed. */
class Failed {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** A slice whose calls have begun. */
interface BegunSlice {
  /** Its first item's index in the chunk. */
  readonly first: number;
  readonly items: number;
  /** What the transform returned for each item, or a `Failed`; a promise where not all is known yet. */
  readonly results: readonly unknown[] | Promise<readonly unknown[]>;
}

/** The results of a transform over a chunk as they are made; they can be read once. */
class TransformedChunk implements Chunk<unknown>, TransformedItems {
  readonly bytes: number;
  readonly end: Chunk<unknown>["end"];
  readonly failures: Failure[] = [];
  skipped = 0;
  /** The item of the source's chunk that each result came from. */
  readonly sources: number[] = [];
  readonly #source: Chunk<unknown>;
  readonly #transform: Transform;
  readonly #signals: TransformSignals;
  readonly #context: TransformContext;
  #yieldAt = performance.now() + YIELD_AFTER_MS;

  constructor(transform: Transform, source: Chunk<unknown>, signals: TransformSignals) {
    this.bytes = source.bytes;
    this.end = source.end;
    this.#source = source;
    this.#transform = transform;
    this.#signals = signals;
    this.#context = { signal: signals.end };
  }

  /** Results so far. */
  get items(): number {
    return this.sources.length;
  }

  async *slices(): AsyncGenerator<readonly unknown[], void, undefined> {
    const { workers, concurrency } = this.#transform;
    const begun: BegunSlice[] = [];
    let first = 0;
    let ahead = 0;
    for await (const slice of this.#source.slices()) {
      this.#assertWanted();
      const elsewhere = workers !== null && this.#transform.wantsWorkers && (await workers.accept());
      begun.push(elsewhere ? this.#send(workers, first, slice) : await this.#begin(first, slice));
      first += slice.length;
      ahead += slice.length;
      // Known results are given at once; slices that wait stay begun, as many as the calls that may be under way.
      for (let next = begun[0]; next !== undefined; next = begun[0]) {
        const mayWait = elsewhere ? begun.length <= AHEAD : ahead <= concurrency;
        if (next.results instanceof Promise && mayWait) break;
        begun.shift();
        ahead -= next.items;
        yield await this.#taken(next);
      }
    }
    for (const slice of begun) yield await this.#taken(slice);
    assertDelivered(this.#source, first);
  }

  /** Calls the transform with each item of a slice, in order. Resolves once all calls have begun. */
  async #begin(first: number, slice: readonly unknown[]): Promise<BegunSlice> {
    const { calls } = this.#transform;
    const results: unknown[] = new Array(slice.length);
    let waits = false;
    let computedMs = 0;
    let from = performance.now();
    for (let at = 0; at < slice.length; at++) {
      const isLong = performance.now() > this.#yieldAt;
      if (isLong || !calls.tryEnter()) {
        computedMs += performance.now() - from;
        if (isLong) await yieldToLoop();
        await calls.enter();
        this.#assertWanted(() => calls.leave());
        from = performance.now();
        this.#yieldAt = from + YIELD_AFTER_MS;
      }
      const result = this.#call(slice[at]);
      if (result instanceof Promise) waits = true;
      results[at] = result;
    }
    this.#transform.computed(slice.length, computedMs + performance.now() - from);
    boundYoungGeneration();
    return { first, items: slice.length, results: waits ? handled(Promise.all(results)) : results };
  }

  /** Calls the transform with one item, for which there is room. Most transforms do not wait, and need no promise. */
  #call(item: unknown): unknown {
    const { calls, transform } = this.#transform;
    let result: unknown;
    try {
      result = item instanceof ItemError ? new Failed(item) : transform(item, this.#context);
    } catch (error) {
      result = isTransient(error) ? Promise.reject(error) : new Failed(error);
    }
    if (isThenable(result)) return handled(this.#settled(item, result).finally(() => calls.leave()));
    calls.leave();
    return result;
  }

  /** What a call that waits comes to, after as many attempts as it takes. */
  async #settled(item: unknown, call: PromiseLike<unknown>): Promise<unknown> {
    const began = performance.now();
    let value: unknown;
    try {
      value = await call;
    } catch (error) {
      return await this.#calledAgain(item, error);
    }
    this.#transform.succeeded();
    this.#transform.waited(performance.now() - began);
    return value;
  }

  /** What becomes of an item whose first call failed: a `Failed` where trying again does not help. */
  async #calledAgain(item: unknown, firstError: unknown): Promise<unknown> {
    let calls = 0;
    return await this.#retried(async () => {
      try {
        if (calls++ === 0) throw firstError;
        const value = await this.#called(item);
        this.#transform.succeeded();
        return value;
      } catch (error) {
        if (isTransient(error) || this.#signals.end.aborted) throw error;
        return new Failed(error);
      }
    });
  }

  /** Tries again what fails for a reason outside of its items, until nothing has succeeded for too long or the run stops. */
  async #retried<R>(attempt: () => Promise<R>): Promise<R> {
    const { stop, end, onTrouble } = this.#signals;
    const { patienceMs } = this.#transform;
    try {
      return await retry(attempt, {
        ...TRY_AGAIN,
        ...(patienceMs === null ? { attempts: 1 } : { patienceMs }),
        isTransient: (error) => !end.aborted && isTransient(error),
        othersSucceededAt: () => this.#transform.succeededAt,
        ...(onTrouble === undefined ? {} : { onRetry: onTrouble }),
        signal: stop,
      });
    } catch (error) {
      stop.throwIfAborted();
      throw patienceMs === null || !isTransient(error)
        ? error
        : new PermanentError(errorText(error), { cause: error });
    }
  }

  async #called(item: unknown): Promise<unknown> {
    return await this.#transform.transform(item, this.#context);
  }

  #send(workers: TransformWorkers, first: number, slice: readonly unknown[]): BegunSlice {
    return { first, items: slice.length, results: handled(this.#inWorkers(workers, slice)) };
  }

  /** Lets workers have the items, and have those again that failed for a reason outside of them. */
  async #inWorkers(workers: TransformWorkers, slice: readonly unknown[]): Promise<readonly unknown[]> {
    const results: unknown[] = slice.map((item) =>
      item instanceof ItemError ? new Failed(item) : undefined,
    );
    let open = results.flatMap((result, at) => (result === undefined ? [at] : []));
    let areRefused = false;
    const attempt = async () => {
      const settled = await workers.map(
        open.map((at) => slice[at]),
        this.#signals.end,
      );
      if (settled === null) {
        areRefused = true;
        return;
      }
      const again: number[] = [];
      let reason: unknown;
      let longestAskedMs = 0;
      for (const [nth, at] of open.entries()) {
        const outcome = settled[nth] as Settled<TransformResult<unknown>>;
        if (outcome.status === "fulfilled") results[at] = outcome.value;
        else if (!isTransient(outcome.reason)) results[at] = new Failed(outcome.reason);
        else {
          again.push(at);
          // All of them are called again together: not before the longest time that a server asked for.
          const askedMs = retryAfterOfError(outcome.reason) ?? 0;
          if (again.length > 1 && askedMs < longestAskedMs) continue;
          reason = outcome.reason;
          longestAskedMs = askedMs;
        }
      }
      if (again.length < open.length) this.#transform.succeeded();
      open = again;
      if (open.length > 0) throw reason;
    };
    if (open.length > 0) await this.#retried(attempt);
    if (!areRefused) return results;
    // No worker can load the transform: it runs in this thread.
    const items = open.map((at) => slice[at]);
    const here = await (await this.#begin(0, items)).results;
    for (const [nth, at] of open.entries()) results[at] = here[nth];
    return results;
  }

  async #taken({ first, results }: BegunSlice): Promise<unknown[]> {
    const given: unknown[] = [];
    const known = results instanceof Promise ? await results : results;
    for (let at = 0; at < known.length; at++) {
      const result = known[at];
      if (result instanceof Failed) this.failures.push(failureOf(first + at, result.error));
      else this.#give(first + at, result as TransformResult<unknown>, given);
    }
    return given;
  }

  #give(index: number, result: TransformResult<unknown>, given: unknown[]): void {
    if (result === null || result === undefined) {
      this.skipped++;
      return;
    }
    if (!Array.isArray(result)) {
      given.push(result);
      this.sources.push(index);
      return;
    }
    const before = given.length;
    for (const one of result) {
      // Returned alone it would be skipped, so it is skipped in an array.
      if (one === null || one === undefined) continue;
      given.push(one);
      this.sources.push(index);
    }
    if (given.length === before) this.skipped++;
  }

  /** Throws if no further call should begin. */
  #assertWanted(before?: () => void): void {
    const { stop } = this.#signals;
    if (!stop.aborted) return;
    before?.();
    stop.throwIfAborted();
  }

  origin(index: number): Promise<Origin> {
    return this.#source.origin(this.sourceIndex(index));
  }

  get transformed(): TransformedItems {
    return this;
  }

  get from(): Chunk<unknown> {
    return this.#source;
  }

  sourceIndex(index: number): number {
    return this.sources[index] ?? 0;
  }

  async again(item: unknown): Promise<readonly unknown[] | ItemError> {
    try {
      const result = (await this.#called(item)) as TransformResult<unknown>;
      if (result === null || result === undefined) return [];
      return Array.isArray(result) ? result.filter((one) => one !== null && one !== undefined) : [result];
    } catch (error) {
      if (isTransient(error) || this.#context.signal.aborted) throw error;
      if (error instanceof ItemError) return error;
      const { reason, code } = failureOf(0, error);
      return new ItemError(reason, { cause: error, ...(code === undefined ? {} : { code }) });
    }
  }
}

/** The same promise, whose rejection does not count as unhandled before it is awaited. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function failureOf(index: number, error: unknown): Failure {
  if (error instanceof ItemError) return { index, reason: error.message, code: error.code };
  if (error instanceof PawlError && error.code === "pool.worker-died")
    return { index, reason: "the transform ended its worker", code: "transform" };
  return { index, reason: `the transform threw: ${errorText(error)}`, code: "transform" };
}

/** For a sink that does not pack: the results stay as they are. */
async function keep(results: Chunk<unknown>): Promise<Chunk<unknown>> {
  const kept: (readonly unknown[])[] = [];
  for await (const slice of results.slices()) kept.push(slice);
  return {
    items: results.items,
    bytes: results.bytes,
    end: results.end,
    slices: async function* () {
      yield* kept;
    },
    origin: (index) => results.origin(index),
    ...(results.transformed ? { transformed: results.transformed } : {}),
  };
}
