import { milliseconds } from "../../durations.ts";
import { bytes } from "../../sizes.ts";
import type { ChunkSize, OpenSink } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";

interface SizeBounds {
  readonly minBytes: number;
  readonly maxBytes: number;
  /** The size of the first chunk; default 1 MB. */
  readonly firstBytes?: number;
  /** Where items say how long a chunk takes: how many the first one has. Bytes only bound it then. */
  readonly firstItems?: number;
  /** Bounds of a chunk that is sized in items. */
  readonly minItems?: number;
  readonly maxItems?: number;
  /** What one chunk should take, in milliseconds. */
  readonly targetMs: number;
}

/** How much of the last measurement enters the smoothed rate. */
const SMOOTHING = 0.4;
/** A chunk grows or shrinks at most by this factor at a time, so that one odd chunk does not change much. */
const MAX_STEP = 2;
const MAX_ITEMS = 1_000_000;

/**
 * Finds the chunk size that takes the target time to read, transform and write, from the rate of the chunks before:
 * an exponentially smoothed rate times the target, within bounds. Empty chunks do not count, nor does the time for which a
 * throttle waits.
 */
export class ChunkSizer implements ChunkSize {
  items: number;
  bytes: number;
  readonly #bounds: SizeBounds;
  /** Bytes a millisecond, or items where they count. */
  #perMs: number | null = null;

  constructor(bounds: SizeBounds) {
    this.#bounds = bounds;
    this.items = bounds.firstItems ?? MAX_ITEMS;
    this.bytes = bounds.firstItems ? bounds.maxBytes : this.#clamp(bounds.firstBytes ?? 1024 * 1024);
  }

  /**
   * Learns from a chunk of `items` that was asked for with `bytes` and took `ms`. A chunk has at least `atLeast` items: so
   * many calls of a transform wait side by side, and together take no longer than one.
   */
  observe(bytes: number, ms: number, items: number, atLeast = 1): void {
    const { firstItems, targetMs } = this.#bounds;
    const size = firstItems === undefined ? bytes : items;
    if (size === 0 || ms <= 0) return;
    const rate = size / ms;
    this.#perMs = this.#perMs === null ? rate : SMOOTHING * rate + (1 - SMOOTHING) * this.#perMs;
    const wanted = this.#perMs * targetMs;
    this.#resize((now) => Math.min(now * MAX_STEP, Math.max(now / MAX_STEP, wanted)), atLeast);
  }

  /** After a chunk that timed out or could not be committed. */
  halve(): void {
    this.#resize((now) => now / 2, 1);
    this.#perMs = null;
  }

  #resize(to: (now: number) => number, atLeast: number): void {
    const { firstItems, minItems = 1, maxItems = MAX_ITEMS } = this.#bounds;
    if (firstItems === undefined) this.bytes = this.#clamp(to(this.bytes));
    else this.items = Math.round(Math.min(maxItems, Math.max(minItems, atLeast, to(this.items))));
  }

  #clamp(bytes: number): number {
    return Math.round(Math.min(this.#bounds.maxBytes, Math.max(this.#bounds.minBytes, bytes)));
  }
}

/** Items of a chunk that is sized in items because the sink says so. */
const MIN_ITEMS = 16;
const MOST_ITEMS = 1024;

/**
 * The chunk sizes that the job asks for, or else the sink, or else the defaults. `largest` is what memory allows; `ofTransform`
 * how many items the first chunk has for the sake of a transform.
 */
export function sizeBounds(
  job: AnyJob,
  { chunkSizing }: OpenSink<unknown>,
  largest: number,
  ofTransform: number | null,
): SizeBounds {
  const what = `Job ${job.name}`;
  const bounds = {
    minBytes: bytes(job.chunkSize?.min ?? chunkSizing?.minSize ?? "64KB", `${what}: chunkSize.min`),
    maxBytes: Math.min(largest, bytes(job.chunkSize?.max ?? largest, `${what}: chunkSize.max`)),
    targetMs: milliseconds(job.commitTime ?? chunkSizing?.commitTime ?? "250ms", `${what}: commitTime`),
  };
  // The time of a transform depends on the number of items, not on their bytes.
  const firstItems = Math.min(
    ofTransform ?? Number.POSITIVE_INFINITY,
    chunkSizing?.firstItems ?? Number.POSITIVE_INFINITY,
  );
  if (firstItems === Number.POSITIVE_INFINITY)
    return {
      ...bounds,
      firstBytes: bytes(chunkSizing?.firstSize ?? "1MB", "The size of the first chunk"),
    };
  if (chunkSizing?.firstItems === undefined) return { ...bounds, firstItems };
  return { ...bounds, firstItems, minItems: ofTransform === null ? MIN_ITEMS : 1, maxItems: MOST_ITEMS };
}
