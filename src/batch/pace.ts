import type { Pace } from "./contract.ts";

export interface PaceBounds {
  readonly minBytes: number;
  readonly maxBytes: number;
  /** The size of the first chunk; default 1 MB. */
  readonly firstBytes?: number;
  /** What one commit should take, in milliseconds. */
  readonly targetMs: number;
}

/** How much of the last measurement enters the smoothed rate. */
const SMOOTHING = 0.4;
/** A chunk grows or shrinks at most by this factor at a time, so that one odd commit does not throw it about. */
const MAX_STEP = 2;
const MAX_ITEMS = 1_000_000;

/**
 * Finds the chunk size whose commit takes the target time, from the rate of the chunks before: an exponentially
 * smoothed rate times the target, within bounds. Only the time spent writing counts, and only chunks that held
 * something: waiting for the source or for a throttle says nothing about the target.
 */
export class AdaptivePace implements Pace {
  readonly items = MAX_ITEMS;
  bytes: number;
  readonly #bounds: PaceBounds;
  #bytesPerMs: number | null = null;

  constructor(bounds: PaceBounds) {
    this.#bounds = bounds;
    this.bytes = this.#clamp(bounds.firstBytes ?? 1024 * 1024);
  }

  /** Learns from a chunk that was asked for with `bytes` and took `ms` to write. */
  observe(bytes: number, ms: number): void {
    if (bytes === 0 || ms <= 0) return;
    const rate = bytes / ms;
    this.#bytesPerMs =
      this.#bytesPerMs === null ? rate : SMOOTHING * rate + (1 - SMOOTHING) * this.#bytesPerMs;
    const wanted = this.#bytesPerMs * this.#bounds.targetMs;
    this.bytes = this.#clamp(Math.min(this.bytes * MAX_STEP, Math.max(this.bytes / MAX_STEP, wanted)));
  }

  /** After a chunk that timed out or could not be committed. */
  halve(): void {
    this.bytes = this.#clamp(this.bytes / 2);
    this.#bytesPerMs = null;
  }

  #clamp(bytes: number): number {
    return Math.round(Math.min(this.#bounds.maxBytes, Math.max(this.#bounds.minBytes, bytes)));
  }
}
