import { setTimeout as sleep } from "node:timers/promises";
import { assertObject, shown } from "./arguments.ts";
import { PawlError } from "./errors.ts";
import { retryAfterOfError } from "./retry-after.ts";
import { LONGEST_TIMER_MS } from "./timers.ts";

/** How long to wait before trying again: a random time up to `baseMs · 2^(failures − 1)`, at most `capMs`. */
export interface Backoff {
  /** The bound after the first failure, in milliseconds. @default 1_000 */
  readonly baseMs?: number;
  /** The largest bound, in milliseconds. @default 300_000 */
  readonly capMs?: number;
  /**
   * `full`: a random time up to the bound; `equal`: half of the bound and a random time up to the other half; `none`: all
   * of it.
   * @default "full"
   */
  readonly jitter?: "full" | "equal" | "none";
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row. Exponential with full jitter, which spreads those
 * who failed together best: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 *
 * @param random a number in [0, 1)
 * @throws PawlError `argument.backoff` for failures that are not a number, `argument.object` for a backoff that is not an object
 * @example
 * ```ts
 * import { backoffDelay } from "pawl/tasks";
 *
 * const ms = backoffDelay(3, { baseMs: 100, capMs: 10_000 }); // up to 400
 * ```
 */
export function backoffDelay(
  failures: number,
  backoff: Backoff = {},
  random: () => number = Math.random,
): number {
  if (typeof failures !== "number")
    throw new PawlError(
      "argument.backoff",
      `backoffDelay takes a number of failures, not ${shown(failures)}.`,
    );
  assertObject(backoff, "The backoff");
  const { baseMs = 1_000, capMs = 300_000, jitter = "full" } = backoff;
  // 2^30 passes any cap that makes sense and is still far from infinity.
  const exponent = Math.min(Math.max(failures, 1) - 1, 30);
  const bound = Math.min(capMs, baseMs * 2 ** exponent);
  if (jitter === "none") return Math.floor(bound);
  return Math.floor(jitter === "equal" ? (bound + random() * bound) / 2 : random() * bound);
}

/** A server may ask for any time; by default it is asked again after this one at the latest. */
export const LONGEST_ASKED_MS = 15 * 60_000;

/** How long to wait between two attempts. */
export interface RetryDelay extends Backoff {
  /**
   * How long the other side asked to be left alone, in milliseconds; null where it did not.
   * @default what the error says as HTTP does, see `retryAfterOfError`
   */
  readonly askedMs?: (error: unknown) => number | null;
  /**
   * The most of it that is waited for.
   * @default 900_000
   */
  readonly longestAskedMs?: number;
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row: as long as the other side asked for, and the backoff on top, so
 * that those who were told the same time do not come back together. What a task waits is decided by `failure` in
 * tasks/attempt/result.ts.
 */
export function retryDelay(
  error: unknown,
  failures: number,
  delay: RetryDelay,
  random: () => number = Math.random,
): number {
  const { askedMs = retryAfterOfError, longestAskedMs = LONGEST_ASKED_MS } = delay;
  return Math.min(askedMs(error) ?? 0, longestAskedMs) + backoffDelay(failures, delay, random);
}

/** When `retry` tries again, and when it gives up. */
export interface RetryPolicy extends RetryDelay {
  /** Whether trying again may help. */
  readonly isTransient: (error: unknown) => boolean;
  /**
   * Attempts in all; those before progress do not count.
   * @default Infinity
   */
  readonly attempts?: number;
  /**
   * No further attempt begins once so many milliseconds have passed since the first one began.
   * @default Infinity
   */
  readonly deadlineMs?: number;
  /**
   * Gives up once so many milliseconds have passed without success since the first failure in a row; but there is an attempt after
   * each time that the other side asked for.
   * @default Infinity
   */
  readonly patienceMs?: number;
  /** When other work of the same kind last succeeded, by `performance.now()`: then the other side works, and patience begins again. */
  readonly othersSucceededAt?: () => number;
  /** How much the work has got done, even by attempts that failed in the end: after a failure with more done, it is the first in a row. */
  readonly progress?: () => number;
  /** Ends the wait between two attempts; `retry` rejects with its reason then. */
  readonly signal?: AbortSignal;
  /** How long to wait, in place of the backoff and of what the other side asked for; null to give up. */
  readonly waitMs?: (error: unknown, failures: number) => number | null;
  /** Told of each failure that is tried again. */
  readonly onRetry?: (error: unknown, failures: number) => void;
}

/**
 * Runs `attempt` until it succeeds, fails with what trying again does not help, or the policy gives up; then it rejects
 * with the latest error. An attempt that failed must have left nothing behind.
 *
 * @example
 * ```ts
 * await retry(() => connect(), { isTransient: isNetworkError, deadlineMs: 15_000, baseMs: 10, capMs: 1_000 });
 * ```
 */
export async function retry<T>(attempt: () => Promise<T> | T, policy: RetryPolicy): Promise<T> {
  const { isTransient, attempts = Number.POSITIVE_INFINITY, signal, onRetry } = policy;
  const {
    deadlineMs = Number.POSITIVE_INFINITY,
    waitMs = (error, failures) => retryDelay(error, failures, policy),
  } = policy;
  const { patienceMs = Number.POSITIVE_INFINITY, othersSucceededAt, progress } = policy;
  const began = performance.now();
  let failingSince = began;
  let done = progress?.();
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      const now = performance.now();
      if (progress?.() !== done) failures = 1;
      done = progress?.();
      if (failures === 1) failingSince = now;
      const patientSince = Math.max(failingSince, othersSucceededAt?.() ?? failingSince);
      if (!isTransient(error) || failures >= attempts) throw error;
      if (now - began >= deadlineMs || now - patientSince > patienceMs) throw error;
      signal?.throwIfAborted();
      const ms = waitMs(error, failures);
      if (ms === null) throw error;
      onRetry?.(error, failures);
      await pause(Math.min(ms, LONGEST_TIMER_MS), signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    // Node's own error would say that a timer was aborted, and not why.
    signal?.throwIfAborted();
  }
}
