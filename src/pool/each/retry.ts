import { retryAfterOfError } from "../../retry-after.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";

/** How items that failed are tried again. */
export interface RetryOptions {
  /** Further attempts after the first. */
  readonly times: number;
  /** The wait before the first further attempt is at most this, and doubles each time. Default 500. */
  readonly baseMs?: number;
  /** What it does not grow beyond. Default 30,000. */
  readonly capMs?: number;
  /** Which errors are worth another attempt. Default: all. */
  readonly retryOn?: (error: unknown) => boolean;
}

/** A server that wants to be left alone for longer than this has said no. */
const LONGEST_HINT_MS = 15 * 60_000;

/**
 * Milliseconds until the next attempt; null when there is none. `failures` counts those of this item. Exponential with
 * full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Where the error says when to
 * come back, that time is kept and the jitter comes on top, so that not all come at once.
 */
export function retryDelay(
  error: unknown,
  failures: number,
  { times, baseMs = 500, capMs = 30_000, retryOn }: RetryOptions,
  random: () => number = Math.random,
): number | null {
  if (failures > times) return null;
  if (retryOn !== undefined && !retryOn(error)) return null;
  const hint = retryAfterOfError(error) ?? 0;
  if (hint > LONGEST_HINT_MS) return null;
  return Math.min(LONGEST_TIMER_MS, hint + random() * Math.min(capMs, baseMs * 2 ** (failures - 1)));
}
