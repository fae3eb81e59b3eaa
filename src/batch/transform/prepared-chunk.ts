import { ItemError, PawlError } from "../../errors.ts";
import type { Chunk, Failure, OpenSink } from "../contract.ts";

/** A chunk ready to be written, and what happened to its items on the way. */
export interface PreparedChunk {
  /** The source's chunk: its items, bytes and cursor are what the checkpoint counts. */
  readonly source: Chunk<unknown>;
  /** What goes to the sink. */
  readonly output: Chunk<unknown>;
  /** Items the transform refused or that could not be decoded, by index in the source's chunk. */
  readonly failures: readonly Failure[];
  /** Items for which the transform returned nothing. */
  readonly skipped: number;
  /** Results beyond one for one. */
  readonly added: number;
  /** The index in the source's chunk of the item that result `index` came from. */
  sourceIndex(index: number): number;
  /** The size it was asked for, which bounds what it holds in memory. */
  readonly bytes: number;
}

/**
 * A chunk on its way without a transform: what is read is what is written. Items that could not be decoded are kept from a
 * sink that reads the items; one that takes the whole chunk in a form of its own finds them itself.
 */
export function untransformed(
  chunk: Chunk<unknown>,
  asked: number,
  sink: Pick<OpenSink<unknown>, "takesWhole">,
): PreparedChunk {
  if (sink.takesWhole?.(chunk)) {
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
  const output = new DecodedChunk(chunk);
  return {
    source: chunk,
    output,
    // They are complete once the sink has read the items, which it does as it writes them.
    get failures() {
      return output.failures;
    },
    skipped: 0,
    added: 0,
    sourceIndex: (index) => output.sourceIndex(index),
    bytes: asked,
  };
}

/** The items of a chunk without those that could not be decoded. */
class DecodedChunk implements Chunk<unknown> {
  readonly bytes: number;
  readonly end: Chunk<unknown>["end"];
  failures: Failure[] = [];
  readonly #source: Chunk<unknown>;

  constructor(source: Chunk<unknown>) {
    this.#source = source;
    this.bytes = source.bytes;
    this.end = source.end;
  }

  get items(): number {
    return this.#source.items - this.failures.length;
  }

  async *slices(): AsyncGenerator<readonly unknown[], void, undefined> {
    this.failures = [];
    let index = 0;
    for await (const slice of this.#source.slices()) {
      const first = index;
      index += slice.length;
      if (!slice.some((item) => item instanceof ItemError)) {
        yield slice;
        continue;
      }
      const good: unknown[] = [];
      for (const [at, item] of slice.entries()) {
        if (item instanceof ItemError) {
          this.failures.push({ index: first + at, reason: item.message, code: item.code });
        } else good.push(item);
      }
      yield good;
    }
    assertDelivered(this.#source, index);
  }

  origin(index: number): ReturnType<Chunk<unknown>["origin"]> {
    return this.#source.origin(this.sourceIndex(index));
  }

  /** Where the item stands in the source's chunk: behind the failures that come before it. */
  sourceIndex(index: number): number {
    let at = index;
    for (const failure of this.failures) {
      if (failure.index > at) break;
      at++;
    }
    return at;
  }
}

/** Refuses a chunk that gave more or fewer items than it says it has: missing ones would be lost silently. */
export function assertDelivered(chunk: Chunk<unknown>, delivered: number): void {
  if (delivered === chunk.items) return;
  throw new PawlError(
    "source.miscounted",
    `The source announced a chunk of ${chunk.items} items and gave ${delivered}: nothing of it was written; this is a defect of the source, please report it there.`,
  );
}
