import { quoted } from "./arguments.ts";
import { PawlError } from "./errors.ts";
import { own } from "./own.ts";

/** Milliseconds, or a number with its unit: `"250ms"`, `"30s"`, `"10m"` or `"10min"`, `"6h"`, `"7d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "min" | "h" | "d"}`;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** As far as anything can lie ahead or back, 1,000 years: what is added to a time must stay a time. */
export const LONGEST_MS = 1_000 * 365.25 * 86_400_000;

/** Milliseconds of a number with its unit, such as `250ms`, `1.5 s`, `10m` or `10min`, `6h`, `7d`; NaN for everything else. */
export function millisecondsOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(text.trim());
  return match === null ? Number.NaN : Number(match[1]) * (own(UNITS, match[2] ?? "") ?? Number.NaN);
}

/**
 * Milliseconds of a duration; `Infinity` stays what it is.
 *
 * @param what where it stands, such as `The timeout of a pool`; it begins the sentence of the error
 * @throws PawlError `argument.duration` for what is not a duration
 */
export function milliseconds(duration: Duration, what: string): number {
  const ms =
    typeof duration === "number"
      ? duration
      : typeof duration === "string"
        ? millisecondsOf(duration)
        : Number.NaN;
  if (ms >= 0) return ms;
  throw new PawlError(
    "argument.duration",
    `${named(what)} must be milliseconds or a duration such as "30s" or "10m", not ${quoted(duration)}.`,
  );
}

/** The same where there may be none. */
export function optionalMilliseconds(duration: Duration | undefined, what: string): number | undefined {
  return duration === undefined ? undefined : milliseconds(duration, what);
}

/** The same where something is to happen after it, so that it must have an end. */
export function finiteMilliseconds(duration: Duration, what: string): number {
  const ms = milliseconds(duration, what);
  if (ms <= LONGEST_MS) return ms;
  throw tooLong(duration, what);
}

function tooLong(duration: unknown, what: string): PawlError {
  return new PawlError(
    "argument.duration",
    `${named(what)} must be at most 1,000 years, not ${quoted(duration)}.`,
  );
}

/** The same where `Infinity` means never, and so does what is more than 1,000 years: null then, and where there is none. */
export function endingMilliseconds(duration: Duration | undefined, what: string): number | null {
  const ms = optionalMilliseconds(duration, what);
  return ms === undefined || ms > LONGEST_MS ? null : ms;
}

/**
 * Milliseconds of a duration that a person typed, such as a setting: a bare number is refused, since its unit would be a
 * guess.
 *
 * @param what where it stands, such as `REPORT_TIMEOUT`
 * @throws PawlError `argument.duration`
 * @example
 * ```ts
 * parseDuration(process.env.REPORT_TIMEOUT ?? "10m", "REPORT_TIMEOUT"); // 600_000
 * ```
 */
export function parseDuration(text: string, what: string): number {
  const ms = typeof text === "string" ? millisecondsOf(text) : Number.NaN;
  if (ms <= LONGEST_MS) return ms;
  if (ms > LONGEST_MS) throw tooLong(text, what);
  throw new PawlError(
    "argument.duration",
    `${named(what)} takes a duration such as 30s or 10m, not ${quoted(text)}.`,
  );
}

/** A duration for people: `250 ms`, `1.5 s`, `10 min`, `6 h`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${rounded(ms)} ms`;
  if (ms < 60_000 || ms % 60_000 !== 0) return `${rounded(ms / 1_000)} s`;
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${ms / 60_000} min`;
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

/** Where it stands, which a program in JavaScript may leave out. */
function named(what: unknown): string {
  return typeof what === "string" && what !== "" ? what : "A duration";
}
