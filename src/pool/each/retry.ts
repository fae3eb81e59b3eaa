import { type Duration, milliseconds } from "../../durations.ts";
import { backoffDelay } from "../../retry.ts";
import { retryAfterOfError } from "../../retry-after.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { checkOptions, refuse } from "../options.ts";

/** How items that failed are tried again. */
export interface RetryOptions {
  /** Further attempts after the first. */
  readonly times: number;
  /**
   * The wait before the first further attempt is a random time up to this; the bound doubles each time.
   * @default "500ms"
   */
  readonly base?: Duration;
  /**
   * What that bound does not grow beyond.
   * @default "30s"
   */
  readonly cap?: Duration;
  /**
   * Which errors are worth another attempt.
   * @default all
   */
  readonly retryOn?: (error: unknown) => boolean;
}

/** The same as `each` uses it. */
export interface RetrySettings {
  readonly times: number;
  readonly baseMs?: number;
  readonly capMs?: number;
  readonly retryOn?: ((error: unknown) => boolean) | undefined;
}

/** Throws a PawlError that names the option which cannot be. */
export function retrySettings(retries: number | RetryOptions): RetrySettings {
  const options = typeof retries === "number" ? { times: retries } : retries;
  checkOptions(options, "the retries of each", ["times", "base", "cap", "retryOn"]);
  const { times, base = "500ms", cap = "30s", retryOn } = options;
  if (!(Number.isInteger(times) || times === Number.POSITIVE_INFINITY) || times < 0)
    refuse("retries", "a whole number, at least 0", times);
  const [baseMs, capMs] = [
    milliseconds(base, "The option retries.base"),
    milliseconds(cap, "The option retries.cap"),
  ];
  return { times, baseMs, capMs, retryOn };
}

/** A server that wants to be left alone for longer than this has said no. */
const LONGEST_HINT_MS = 15 * 60_000;

/**
 * Milliseconds until the next attempt; null when there is none. `failures` counts those of this item. Where the error says
 * when to come back, that time is kept and the random wait comes on top, so that not all come at once.
 */
export function retryDelay(
  error: unknown,
  failures: number,
  { times, baseMs = 500, capMs = 30_000, retryOn }: RetrySettings,
  random: () => number = Math.random,
): number | null {
  if (failures > times || retryOn?.(error) === false) return null;
  const hint = retryAfterOfError(error) ?? 0;
  if (hint > LONGEST_HINT_MS) return null;
  return Math.min(LONGEST_TIMER_MS, hint + backoffDelay(failures, { baseMs, capMs }, random));
}
