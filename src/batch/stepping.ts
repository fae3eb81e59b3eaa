import { setImmediate as yieldToLoop } from "node:timers/promises";
import { ItemError } from "../errors.ts";
import type { Chunk, Failure, Origin } from "./contract.ts";
import { isTransient } from "./infrastructure.ts";
import type { AnyJob, StepContext, StepResult } from "./job.ts";
import { boundNursery } from "./nursery.ts";

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
): Promise<PreparedChunk> {
  const stepping = new Stepping(chunk, step, context);
  const output = await pack(stepping);
  const { failures, skipped, from } = stepping;
  return {
    source: chunk,
    output,
    failures,
    skipped,
    added: from.length + skipped + failures.length - chunk.items,
    sourceIndex: (result) => from[result] ?? 0,
    bytes: asked,
  };
}

/** The results of a step over a chunk as they are made; they can be read once. */
class Stepping implements Chunk<unknown> {
  readonly bytes: number;
  readonly end: Chunk<unknown>["end"];
  readonly failures: Failure[] = [];
  skipped = 0;
  /** The item of the source's chunk that each result came from. */
  readonly from: number[] = [];
  readonly #source: Chunk<unknown>;
  readonly #step: NonNullable<AnyJob["step"]>;
  readonly #context: StepContext;

  constructor(source: Chunk<unknown>, step: NonNullable<AnyJob["step"]>, context: StepContext) {
    this.bytes = source.bytes;
    this.end = source.end;
    this.#source = source;
    this.#step = step;
    this.#context = context;
  }

  /** Results so far. */
  get items(): number {
    return this.from.length;
  }

  async *slices(): AsyncGenerator<readonly unknown[], void, undefined> {
    let index = 0;
    let lastYield = performance.now();
    for await (const slice of this.#source.slices()) {
      const results: unknown[] = [];
      for (const item of slice) {
        const taken = this.#take(index++, item, results);
        if (taken !== undefined) await taken;
      }
      boundNursery();
      yield results;
      if (performance.now() - lastYield > YIELD_AFTER_MS) {
        await yieldToLoop();
        this.#context.signal.throwIfAborted();
        lastYield = performance.now();
      }
    }
  }

  origin(index: number): Promise<Origin> {
    return this.#source.origin(this.from[index] ?? 0);
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
      this.from.push(index);
      return;
    }
    if (result.length === 0) this.skipped++;
    for (const one of result) {
      results.push(one);
      this.from.push(index);
    }
  }

  #refuse(index: number, error: unknown): void {
    if (isTransient(error) || this.#context.signal.aborted) throw error;
    this.failures.push(failureOf(index, error));
  }
}

function failureOf(index: number, error: unknown): Failure {
  if (error instanceof ItemError) return { index, reason: error.message, code: error.code };
  const reason = error instanceof Error ? error.message : String(error);
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
  };
}
