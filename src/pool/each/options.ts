import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import type { Rate } from "../../rate-limit.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { checkOptions } from "../options.ts";
import type { RetryOptions } from "./retry.ts";

export interface EachOptions {
  /** Items that run at once. Default 16. */
  readonly concurrency?: number;
  /** Attempts that may begin in a second, however many could run at once; further attempts at an item count too. */
  readonly rate?: Rate;
  /** How often an item that failed is tried again, or how. Default 0. */
  readonly retries?: number | RetryOptions;
  /** How long one attempt may take, in milliseconds; waiting for its turn does not count. */
  readonly timeout?: number;
  /** Stops the call: items that wait are not begun, those that run are told by their signal and waited for. */
  readonly signal?: AbortSignal;
  /** False: who iterates gets each result as soon as it is there. Default: in the order of the items. */
  readonly ordered?: boolean;
}

/** Options that were looked at, with their defaults. */
export interface Settings {
  readonly concurrency: number;
  readonly rate: Rate | null;
  readonly retries: RetryOptions;
  readonly timeout: number | undefined;
  readonly signal: AbortSignal | null;
  readonly ordered: boolean;
}

const CONCURRENCY = 16;

const OPTIONS = ["concurrency", "rate", "retries", "timeout", "signal", "ordered", "errors"];

/** Throws a PawlError that names the option that cannot be. */
export function settingsOf(options: EachOptions): Settings {
  checkOptions(options, "each", OPTIONS);
  const { concurrency = CONCURRENCY, rate, retries = 0, timeout, signal, ordered = true } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw refusal("concurrency", "a whole number, at least 1", concurrency);
  }
  if (rate !== undefined && !(rate.perSecond > 0 && Number.isFinite(rate.perSecond))) {
    throw refusal("rate", "{ perSecond } with a number above 0", rate.perSecond);
  }
  if (rate !== undefined) checkOptions(rate, "the rate of each", ["perSecond"]);
  if (typeof ordered !== "boolean") throw refusal("ordered", "true or false", ordered);
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0))
    throw refusal("timeout", "milliseconds above 0", timeout);
  return {
    concurrency,
    rate: rate ?? null,
    retries: retryOptionsOf(retries),
    timeout,
    signal: signal ?? null,
    ordered,
  };
}

function retryOptionsOf(retries: number | RetryOptions): RetryOptions {
  const options = typeof retries === "number" ? { times: retries } : retries;
  checkOptions(options, "the retries of each", ["times", "baseMs", "capMs", "retryOn"]);
  const { times, baseMs = 0, capMs = 0 } = options;
  if (!(times >= 0) || !(Number.isInteger(times) || times === Number.POSITIVE_INFINITY)) {
    throw refusal("retries", "a whole number, at least 0", times);
  }
  for (const [name, ms] of Object.entries({ baseMs, capMs })) {
    if (!(ms >= 0 && ms <= LONGEST_TIMER_MS)) {
      throw refusal(`retries.${name}`, `milliseconds, at most ${LONGEST_TIMER_MS}`, ms);
    }
  }
  return options;
}

function refusal(option: string, wanted: string, given: unknown): PawlError {
  const code = `each.${option.split(".")[0]}`;
  return new PawlError(
    code,
    `each() was given ${errorText(given, 60)} as ${option}, which must be ${wanted}.`,
  );
}
