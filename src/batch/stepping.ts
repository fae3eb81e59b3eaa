import { setImmediate as yieldToLoop } from "node:timers/promises";
import { ItemError, TransientError } from "../errors.ts";
import type { Chunk, Failure, Origin } from "./contract.ts";
import type { AnyJob, StepContext, StepResult } from "./job.ts";

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
  /** Bytes it holds in memory, for the prefetch. */
  readonly bytes: number;
}

/** A chunk on its way without a step: what is read is what is written. */
export function unstepped(chunk: Chunk<unknown>): PreparedChunk {
  return {
    source: chunk,
    output: chunk,
    failures: [],
    skipped: 0,
    added: 0,
    sourceIndex: (index) => index,
    bytes: chunk.bytes,
  };
}

/** How long the step may run before other shards and sockets get their turn. */
const YIELD_AFTER_MS = 8;

/** Runs the step over a chunk. Every result is kept until the chunk is committed, so a redo never steps twice. */
export async function stepped(
  chunk: Chunk<unknown>,
  step: NonNullable<AnyJob["step"]>,
  context: StepContext,
): Promise<PreparedChunk> {
  const results: unknown[] = [];
  const from: number[] = [];
  const failures: Failure[] = [];
  let skipped = 0;
  let index = 0;
  let lastYield = performance.now();
  for await (const slice of chunk.slices()) {
    for (const item of slice) {
      if (item instanceof ItemError) {
        failures.push(failureOf(index, item));
      } else {
        try {
          let result = step(item, context) as StepResult<unknown> | Promise<StepResult<unknown>>;
          if (result instanceof Promise) result = await result;
          if (result === null || result === undefined) {
            skipped++;
          } else if (Array.isArray(result)) {
            if (result.length === 0) skipped++;
            for (const one of result) {
              results.push(one);
              from.push(index);
            }
          } else {
            results.push(result);
            from.push(index);
          }
        } catch (error) {
          if (error instanceof TransientError || context.signal.aborted) throw error;
          failures.push(failureOf(index, error));
        }
      }
      index++;
    }
    if (performance.now() - lastYield > YIELD_AFTER_MS) {
      await yieldToLoop();
      context.signal.throwIfAborted();
      lastYield = performance.now();
    }
  }
  const stepAdded = results.length + skipped + failures.length - chunk.items;
  return {
    source: chunk,
    output: new ResultChunk(chunk, results, from),
    failures,
    skipped,
    added: stepAdded,
    sourceIndex: (result) => from[result] ?? 0,
    bytes: chunk.bytes,
  };
}

function failureOf(index: number, error: unknown): Failure {
  if (error instanceof ItemError) return { index, reason: error.message, code: error.code };
  const reason = error instanceof Error ? error.message : String(error);
  return { index, reason: `the step threw: ${reason}`, code: "step" };
}

const SLICE = 1000;

/** Results of a step, kept in memory, with the way back to the items they came from. */
class ResultChunk implements Chunk<unknown> {
  readonly items: number;
  readonly bytes: number;
  readonly end: Chunk<unknown>["end"];
  readonly #source: Chunk<unknown>;
  readonly #results: readonly unknown[];
  readonly #from: readonly number[];

  constructor(source: Chunk<unknown>, results: readonly unknown[], from: readonly number[]) {
    this.items = results.length;
    this.bytes = source.bytes;
    this.end = source.end;
    this.#source = source;
    this.#results = results;
    this.#from = from;
  }

  async *slices(): AsyncGenerator<readonly unknown[], void, undefined> {
    for (let at = 0; at < this.#results.length; at += SLICE) yield this.#results.slice(at, at + SLICE);
  }

  origin(index: number): Promise<Origin> {
    return this.#source.origin(this.#from[index] ?? 0);
  }
}
