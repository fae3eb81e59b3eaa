/**
 * How far the rates of buckets are used, by the algorithm of `src/rate-limit.ts`. Where that is kept, and by which clock, is the
 * driver's.
 */
import type { BucketRate } from "../contract.ts";

/**
 * How many milliseconds of a rate are used ahead of the present, where `aheadMs` were `passedMs` ago. No more than this rate
 * allows: the request before may have named a lower one.
 */
export function aheadMsNow({ intervalMs, burst }: BucketRate, aheadMs: number, passedMs: number): number {
  return Math.max(0, Math.min(aheadMs, burst * intervalMs) - passedMs);
}

/** The rates of a request, one for each bucket: of several the last one counts. */
export function ratesByBucket(rates: readonly BucketRate[]): BucketRate[] {
  return [...new Map(rates.map((rate) => [rate.bucket, rate])).values()];
}

/** Throws a RangeError for a rate at which nothing could ever be claimed, or anything at any time. */
export function assertRate({ bucket, intervalMs, burst }: BucketRate): void {
  if (intervalMs > 0 && burst >= 1) return;
  throw new RangeError(
    `The rate of the bucket ${bucket} makes no sense: ${burst} at once, each ${intervalMs} ms.`,
  );
}
