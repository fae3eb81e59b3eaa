import type { Pace } from "./contract.ts";

export interface PaceBounds {
  readonly minBytes: number;
  readonly maxBytes: number;
  /** The size of the first chunk; default 1 MB. */
  readonly firstBytes?: number;
  /** Where items say how long a commit takes: how many the first chunk has. Bytes only bound it then. */
  readonly firstItems?: number;
  /** What one commit should take, in milliseconds. */
  readonly targetMs: number;
}

/** How much of the last measurement enters the smoothed rate. */
const SMOOTHING = 0.4;
/** A chunk grows or shrinks at most by this factor at a time, so that one odd commit does not throw it about. */
const MAX_STEP = 2;
const MAX_ITEMS = 1_000_000;
/** Bounds of a chunk that is sized in items. */
const LEAST_ITEMS = 16;
const MOST_ITEMS = 1024;

/**
 * Finds the chunk size whose commit takes the target time, from the rate of the chunks before: an exponentially
 * smoothed rate times the target, within bounds. Only the time spent writing counts, and only chunks that held
 * something: waiting for the source or for a throttle says nothing about the target.
 */
export class AdaptivePace implements Pace {
  items: number;
  bytes: number;
  readonly #bounds: PaceBounds;
  /** Bytes a millisecond, or items where they count. */
  #perMs: number | null = null;

  constructor(bounds: PaceBounds) {
    this.#bounds = bounds;
    this.items = bounds.firstItems ?? MAX_ITEMS;
    this.bytes = bounds.firstItems ? bounds.maxBytes : this.#clamp(bounds.firstBytes ?? 1024 * 1024);
  }

  /** Learns from a chunk of `items` that was asked for with `bytes` and took `ms` to write. */
  observe(bytes: number, ms: number, items: number): void {
    const { firstItems, targetMs } = this.#bounds;
    const size = firstItems === undefined ? bytes : items;
    if (size === 0 || ms <= 0) return;
    const rate = size / ms;
    this.#perMs = this.#perMs === null ? rate : SMOOTHING * rate + (1 - SMOOTHING) * this.#perMs;
    this.#resize((now) => Math.min(now * MAX_STEP, Math.max(now / MAX_STEP, (this.#perMs ?? 0) * targetMs)));
  }

  /** After a chunk that timed out or could not be committed. */
  halve(): void {
    this.#resize((now) => now / 2);
    this.#perMs = null;
  }

  #resize(to: (now: number) => number): void {
    if (this.#bounds.firstItems === undefined) this.bytes = this.#clamp(to(this.bytes));
    else this.items = Math.round(Math.min(MOST_ITEMS, Math.max(LEAST_ITEMS, to(this.items))));
  }

  #clamp(bytes: number): number {
    return Math.round(Math.min(this.#bounds.maxBytes, Math.max(this.#bounds.minBytes, bytes)));
  }
}
