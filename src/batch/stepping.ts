import { setImmediate as yieldToLoop } from "node:timers/promises";
import { errorText } from "../error-text.ts";
import { ItemError, PawlError } from "../errors.ts";
import type { Settled } from "../pool/index.ts";
import type { Chunk, Failure, Made, Origin } from "./contract.ts";
import { isTransient } from "./infrastructure.ts";
import type { AnyJob, StepContext, StepResult } from "./job.ts";
import { boundNursery } from "./nursery.ts";
import type { StepWorkers } from "./step-workers.ts";

/** A chunk ready to be written, and what happened to its items on the way. */
export interface PreparedChunk {
  /** The source's chunk: its items, bytes and cursor are what the checkpoint counts. */
  readonly source: Chunk<unknown>;
  /** What goes to the sink. */
  readonly output: Chunk<unknown>;
  /** Items the step refused or that could not be decoded, by index in the source's chunk. */
  readonly failures: readonly Failure[];
  /** Items for which the step returned nothing. */
  readonly skipped: number;
  /** Results beyond one for one. */
  readonly added: number;
  /** The index in the source's chunk of the item that result `index` came from. */
  sourceIndex(index: number): number;
  /** The size it was asked for, which bounds what it holds in memory. */
  readonly bytes: number;
}

/** A chunk on its way without a step: what is read is what is written. */
export function unstepped(chunk: Chunk<unknown>, asked: number): PreparedChunk {
  return {
    source: chunk,
    output: chunk,
    failures: [],
    skipped: 0,
    added: 0,
    sourceIndex: (index) => index,
    bytes: asked,
  };
}

/** How long the step may run before other shards and sockets get their turn. */
const YIELD_AFTER_MS = 8;

/** Slices that are under way in workers while the one before them is taken. */
const AHEAD = 2;

/** What becomes of each item of a slice that workers have, but for those that were bad before the step. */
interface Spread {
  readonly index: number;
  readonly slice: readonly unknown[];
  /** Null when no worker could. */
  readonly settled: Promise<readonly Settled<StepResult<unknown>>[] | null>;
}

/** How a sink turns results into its own form while they are made; see `OpenSink.pack`. */
export type Pack = (results: Chunk<unknown>) => Promise<Chunk<unknown>>;

/**
 * Runs the step over a chunk, once: what it returns is kept until the chunk is committed, so that a redo never steps
 * twice. A sink that packs gets the results as they are made, and only its packed form is kept.
 */
export async function stepped(
  chunk: Chunk<unknown>,
  asked: number,
  step: NonNullable<AnyJob["step"]>,
  context: StepContext,
  pack: Pack = keep,
  workers: StepWorkers | null = null,
): Promise<PreparedChunk> {
  const stepping = new Stepping(chunk, step, context, workers);
  const output = await pack(stepping);
  const { failures, skipped, sources } = stepping;
  return {
    source: chunk,
    output,
    failures,
    skipped,
    added: sources.length + skipped + failures.length - chunk.items,
    sourceIndex: (result) => stepping.sourceIndex(result),
    bytes: asked,
  };
}

/** The results of a step over a chunk as they are made; they can be read once. */
class Stepping implements Chunk<unknown>, Made {
  readonly bytes: number;
  readonly end: Chunk<unknown>["end"];
  readonly failures: Failure[] = [];
  skipped = 0;
  /** The item of the source's chunk that each result came from. */
  readonly sources: number[] = [];
  readonly #source: Chunk<unknown>;
  readonly #step: NonNullable<AnyJob["step"]>;
  readonly #context: StepContext;
  readonly #workers: StepWorkers | null;

  constructor(
    source: Chunk<unknown>,
    step: NonNullable<AnyJob["step"]>,
    context: StepContext,
    workers: StepWorkers | null,
  ) {
    this.bytes = source.bytes;
    this.end = source.end;
    this.#source = source;
    this.#step = step;
    this.#context = context;
    this.#workers = workers;
  }

  /** Results so far. */
  get items(): number {
    return this.sources.length;
  }

  async *slices(): AsyncGenerator<readonly unknown[], void, undefined> {
    const workers = this.#workers;
    let index = 0;
    let lastYield = performance.now();
    const ahead: Spread[] = [];
    for await (const slice of this.#source.slices()) {
      const first = index;
      index += slice.length;
      if (workers?.worthwhile && (await workers.accept())) {
        ahead.push(this.#spread(workers, first, slice));
        if (ahead.length > AHEAD) yield await this.#gather(ahead.shift() as Spread);
        continue;
      }
      for (const spread of ahead.splice(0)) yield await this.#gather(spread);
      const began = performance.now();
      const results = await this.#here(first, slice);
      workers?.observe(slice.length, performance.now() - began);
      boundNursery();
      yield results;
      if (performance.now() - lastYield > YIELD_AFTER_MS) {
        await yieldToLoop();
        this.#context.signal.throwIfAborted();
        lastYield = performance.now();
      }
    }
    for (const spread of ahead) yield await this.#gather(spread);
  }

  /** Steps a slice in this thread. */
  async #here(first: number, slice: readonly unknown[]): Promise<unknown[]> {
    const results: unknown[] = [];
    for (let at = 0; at < slice.length; at++) {
      const taken = this.#take(first + at, slice[at], results);
      if (taken !== undefined) await taken;
    }
    return results;
  }

  #spread(workers: StepWorkers, index: number, slice: readonly unknown[]): Spread {
    const good = slice.some((item) => item instanceof ItemError)
      ? slice.filter((item) => !(item instanceof ItemError))
      : slice;
    const settled = workers.map(good, this.#context.signal);
    // Should nobody come for it, its failure is nobody's.
    settled.catch(() => {});
    return { index, slice, settled };
  }

  async #gather({ index, slice, settled }: Spread): Promise<unknown[]> {
    const all = await settled;
    if (all === null) return await this.#here(index, slice);
    const outcomes = all[Symbol.iterator]();
    const results: unknown[] = [];
    for (let at = 0; at < slice.length; at++) {
      const item = slice[at];
      if (item instanceof ItemError) {
        this.failures.push(failureOf(index + at, item));
        continue;
      }
      const outcome = outcomes.next().value as Settled<StepResult<unknown>>;
      if (outcome.status === "fulfilled") this.#give(index + at, outcome.value, results);
      else this.#refuse(index + at, outcome.reason);
    }
    boundNursery();
    return results;
  }

  origin(index: number): Promise<Origin> {
    return this.#source.origin(this.sourceIndex(index));
  }

  get made(): Made {
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
      const result = await this.#step(item, this.#context);
      if (result === null || result === undefined) return [];
      return Array.isArray(result) ? result : [result];
    } catch (error) {
      if (isTransient(error) || this.#context.signal.aborted) throw error;
      if (error instanceof ItemError) return error;
      const { reason, code } = failureOf(0, error);
      return new ItemError(reason, { cause: error, ...(code === undefined ? {} : { code }) });
    }
  }

  /** Steps one item; a promise only where the step is asynchronous, since most are not and there may be millions. */
  #take(index: number, item: unknown, results: unknown[]): Promise<void> | undefined {
    if (item instanceof ItemError) {
      this.failures.push(failureOf(index, item));
      return undefined;
    }
    try {
      const result = this.#step(item, this.#context) as StepResult<unknown> | Promise<StepResult<unknown>>;
      if (!(result instanceof Promise)) {
        this.#give(index, result, results);
        return undefined;
      }
      return result.then(
        (later) => this.#give(index, later, results),
        (error) => this.#refuse(index, error),
      );
    } catch (error) {
      this.#refuse(index, error);
      return undefined;
    }
  }

  #give(index: number, result: StepResult<unknown>, results: unknown[]): void {
    if (result === null || result === undefined) {
      this.skipped++;
      return;
    }
    if (!Array.isArray(result)) {
      results.push(result);
      this.sources.push(index);
      return;
    }
    if (result.length === 0) this.skipped++;
    for (const one of result) {
      results.push(one);
      this.sources.push(index);
    }
  }

  #refuse(index: number, error: unknown): void {
    if (isTransient(error) || this.#context.signal.aborted) throw error;
    this.failures.push(failureOf(index, error));
  }
}

function failureOf(index: number, error: unknown): Failure {
  if (error instanceof ItemError) return { index, reason: error.message, code: error.code };
  if (error instanceof PawlError && error.code === "pool.worker-died")
    return { index, reason: "the step ended its worker", code: "step" };
  const reason = errorText(error);
  return { index, reason: `the step threw: ${reason}`, code: "step" };
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
    ...(results.made ? { made: results.made } : {}),
  };
}
