import { assertObject, shown } from "../arguments.ts";
import { PawlError } from "../errors.ts";

/** How long to wait before trying again: a random time up to `baseMs · 2^(failures − 1)`, at most `capMs`. */
export interface Backoff {
  /** Default 1,000 ms. */
  readonly baseMs?: number;
  /** Default 300,000 ms. */
  readonly capMs?: number;
  /** `none`: not a random time, but all of it. */
  readonly jitter?: "full" | "none";
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row. Exponential with full jitter, which spreads those
 * who failed together best: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 *
 * @param random a number in [0, 1)
 */
export function backoffDelay(
  failures: number,
  backoff: Backoff = {},
  random: () => number = Math.random,
): number {
  if (typeof failures !== "number")
    throw new PawlError("task.backoff", `backoffDelay takes a number of failures, not ${shown(failures)}.`);
  assertObject(backoff, "The backoff");
  const { baseMs = 1_000, capMs = 300_000, jitter = "full" } = backoff;
  // 2^30 passes any cap that makes sense and is still far from infinity.
  const exponent = Math.min(Math.max(failures, 1) - 1, 30);
  const longest = Math.min(capMs, baseMs * 2 ** exponent);
  return Math.floor(jitter === "none" ? longest : random() * longest);
}
