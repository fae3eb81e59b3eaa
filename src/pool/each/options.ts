import { type Duration, milliseconds, optionalMilliseconds } from "../../durations.ts";
import type { Rate } from "../../rate-limit.ts";
import { checkOptions, refuse } from "../options.ts";

/** How the items of an `each` run. */
export interface EachOptions {
  /**
   * Items that run at once.
   * @default 16
   */
  readonly concurrency?: number;
  /**
   * Attempts that may begin in a second, however many could run at once; further attempts at an item count too.
   * @default no limit
   */
  readonly rate?: Rate;
  /**
   * How often an item that failed is tried again, or how.
   * @default 0
   */
  readonly retries?: number | RetryOptions;
  /**
   * How long one attempt may take; waiting for its turn does not count.
   * @default no limit
   */
  readonly timeout?: Duration;
  /**
   * Stops the call: items that wait are not begun, those that run are told by their signal and waited for.
   * @default nothing but an error stops it
   */
  readonly signal?: AbortSignal;
  /**
   * Results come in the order of the items; with false, each as soon as it is there.
   * @default true
   */
  readonly ordered?: boolean;
}

/** How items that failed are tried again. */
export interface RetryOptions {
  /** Further attempts after the first, or Infinity. */
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

/** The options of an `each` as it uses them. */
export interface EachSettings {
  readonly concurrency: number;
  readonly rate: Rate | null;
  readonly retries: RetrySettings;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | null;
  readonly ordered: boolean;
}

/** How items that failed are tried again, as `each` uses it. */
export interface RetrySettings {
  readonly times: number;
  readonly baseMs?: number;
  readonly capMs?: number;
  readonly retryOn?: ((error: unknown) => boolean) | undefined;
}

const OPTIONS = ["concurrency", "rate", "retries", "timeout", "signal", "ordered", "errors"];

/** The options of an `each` with their defaults. Throws a PawlError that names the option which cannot be. */
export function eachSettings(options: EachOptions): EachSettings {
  checkOptions(options, "each", OPTIONS);
  const { concurrency = 16, rate, retries = 0, timeout, signal, ordered = true } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1)
    refuse("concurrency", "a whole number, at least 1", concurrency);
  if (rate !== undefined) {
    checkOptions(rate, "the rate of each", ["perSecond"]);
    if (!(rate.perSecond > 0 && Number.isFinite(rate.perSecond)))
      refuse("rate.perSecond", "a number above 0", rate.perSecond);
  }
  if (typeof ordered !== "boolean") refuse("ordered", "true or false", ordered);
  const timeoutMs = optionalMilliseconds(timeout, "The option timeout");
  if (timeoutMs === 0) refuse("timeout", "more than 0 ms", timeout);
  return {
    concurrency,
    rate: rate ?? null,
    retries: retrySettings(retries),
    timeoutMs,
    signal: signal ?? null,
    ordered,
  };
}

/** Throws a PawlError that names the option which cannot be. */
function retrySettings(retries: number | RetryOptions): RetrySettings {
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
