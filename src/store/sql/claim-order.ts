/**
 * Buckets by the generic cell rate algorithm (ITU-T I.371): each claim uses one interval of the rate, and up to `burst`
 * intervals may be used ahead of the present. What was used ahead passes with time. Where and by which clock that is kept
 * is the driver's.
 */
import type { BucketRate } from "../contract.ts";

/** A rate, and how many milliseconds of it are used ahead of the present. */
export interface BucketUse {
  readonly rate: BucketRate;
  readonly aheadMs: number;
}

/** What was left `passedMs` ago as it is now. No more than by this rate: a lower one may have been asked for before. */
export function bucketUse(rate: BucketRate, aheadMs: number, passedMs: number): BucketUse {
  return { rate, aheadMs: Math.max(0, Math.min(aheadMs, rate.burst * rate.intervalMs) - passedMs) };
}

/** Throws a RangeError for a rate at which nothing could ever be claimed, or anything at any time. */
export function assertRate({ bucket, intervalMs, burst }: BucketRate): void {
  if (intervalMs > 0 && burst >= 1) return;
  throw new RangeError(
    `The rate of the bucket ${bucket} makes no sense: ${burst} at once, each ${intervalMs} ms.`,
  );
}

/** How many tasks of a bucket may be claimed now. */
export function allowance({ rate, aheadMs }: BucketUse): number {
  // A hair more, so that what was added up from fractions is not a whole one short.
  return Math.floor(rate.burst - aheadMs / rate.intervalMs + 1e-9);
}

/** Milliseconds until one more may be claimed. */
export function waitMs({ rate, aheadMs }: BucketUse): number {
  return Math.max(0, Math.ceil(aheadMs - (rate.burst - 1) * rate.intervalMs - 1e-6));
}

/** What is used ahead once so many more are claimed. */
export function chargedMs({ rate, aheadMs }: BucketUse, claimed: number): number {
  return aheadMs + claimed * rate.intervalMs;
}

/** One of several tasks that may be claimed, where it stands among them. */
export interface Candidate {
  readonly seq: number;
  readonly priority: number;
  readonly due: number;
  readonly bucket: string | null;
}

/**
 * The first `n`, by priority, due time and order of enqueueing, and of each bucket no more than `left` of it, which is
 * counted down: a bucket that runs through several queues has one rate for all.
 */
export function choose<C extends Candidate>(
  candidates: readonly C[],
  n: number,
  left: Map<string, number>,
): C[] {
  const chosen: C[] = [];
  for (const candidate of candidates.toSorted(inOrder)) {
    if (chosen.length >= n) break;
    if (candidate.bucket !== null) {
      const room = left.get(candidate.bucket) ?? 0;
      if (room <= 0) continue;
      left.set(candidate.bucket, room - 1);
    }
    chosen.push(candidate);
  }
  return chosen;
}

export function inOrder(a: Omit<Candidate, "bucket">, b: Omit<Candidate, "bucket">): number {
  return b.priority - a.priority || a.due - b.due || a.seq - b.seq;
}
