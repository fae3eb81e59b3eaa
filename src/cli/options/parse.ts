import { LONGEST_MS, millisecondsOf, parseDuration } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { setOwn } from "../../own.ts";
import { bytesOf } from "../../sizes.ts";

/** Parses `256MB` or `1.5GB`. A bare number is refused: its unit would be a guess. */
export function parseSize(text: string, flag: string): number {
  const bytes = bytesOf(text);
  if (bytes > 0) return bytes;
  throw new PawlError(
    "usage.size",
    `${flag} takes a size such as 256MB or 1GB, not "${text}"${lacking(text)}.`,
  );
}

/** Parses a whole number of at least `least`. */
export function parseCount(text: string, flag: string, least: number): number {
  const count = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (count >= least && Number.isSafeInteger(count)) return count;
  throw new PawlError("usage.count", `${flag} takes a whole number of at least ${least}, not "${text}".`);
}

/** Parses `a=b` pairs; the value may hold further equals signs. */
export function parsePairs(pairs: readonly string[], flag: string): Record<string, string> {
  const parsed: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new PawlError("usage.pair", `${flag} takes name=value, not "${pair}".`);
    const name = pair.slice(0, at).trim();
    if (Object.hasOwn(parsed, name)) throw new PawlError("usage.pair", `${flag} names "${name}" twice.`);
    setOwn(parsed, name, pair.slice(at + 1));
  }
  return parsed;
}

/** Parses what columns are set to or called: pairs that have no order and no blanks around them. */
export function parseAssignments(pairs: readonly string[], flag: string): Record<string, string> {
  const trimmed = Object.entries(parsePairs(pairs, flag)).map(
    ([name, value]) => [name, value.trim()] as const,
  );
  return Object.fromEntries(trimmed.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Parses a comma-separated list of names. */
export function parseNames(text: string, flag: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.some((name) => name === "")) {
    throw new PawlError("usage.names", `${flag} takes names separated by commas, not "${text}".`);
  }
  return names;
}

/** What is missing in a text that looks like a quantity. */
export function lacking(text: string): string {
  if (/^0+(\.0+)?\s*[a-z]*$/i.test(text.trim())) return ", which is zero";
  return /^\d+(\.\d+)?$/.test(text.trim()) ? ", which has no unit" : "";
}

/** Parses a duration that is not zero; returns milliseconds. */
export function parsePositiveDuration(text: string, flag: string): number {
  const ms = parseDuration(text, flag);
  if (ms > 0) return ms;
  throw new PawlError("usage.duration", `${flag} must be more than zero, not "${text}".`);
}

/** Parses a number above 0. */
export function parseNumber(text: string, flag: string): number {
  const number = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (number > 0 && number <= Number.MAX_SAFE_INTEGER) return number;
  throw new PawlError("usage.number", `${flag} must be a number above 0 such as 4 or 1.5, not "${text}".`);
}

/** Parses a number of rows or a share of them, such as `1000` or `1%`. */
export function parseShare(text: string, flag: string): `${number}%` {
  const [, digits = "", percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? [];
  const number = digits === "" ? Number.NaN : Number(digits);
  if (percent ? number <= 100 : Number.isSafeInteger(number)) return text as `${number}%`;
  throw new PawlError(
    "usage.share",
    `${flag} takes a number of rows or a share, such as 1000 or 1%, not "${text}".`,
  );
}

/** A day that its month does not have would be one of the next. */
function isCalendarDay(date: string): boolean {
  const midnight = new Date(`${date}T00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date);
}

/**
 * A date as ISO 8601, or how many milliseconds ago: kept as it was said, so that the same command means the same. A time of day without
 * a zone is UTC on every machine, as a date is.
 */
export function parseTime(text: string, flag: string): string | number {
  const ms = millisecondsOf(text);
  if (ms <= LONGEST_MS) return ms;
  if (ms > LONGEST_MS)
    throw new PawlError("usage.time", `${flag} must be at most 1,000 years, not "${text}".`);
  // What else JavaScript takes for a date is a guess: 5 is a day in May, and 1/2/2026 in January.
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(
    text.trim(),
  );
  const [, day, time = "00:00", zone = "Z"] = match ?? [];
  const at = Date.parse(`${day}T${time}${zone}`);
  if (day !== undefined && isCalendarDay(day) && !Number.isNaN(at)) return new Date(at).toISOString();
  throw new PawlError(
    "usage.time",
    `${flag} takes a date such as 2026-01-31 or a time such as 24h or 7d, not "${text}".`,
  );
}

/** What an option gives, parsed; undefined where it was not given. */
export function parsed<T, Rest extends unknown[]>(
  text: string | undefined,
  parse: (text: string, flag: string, ...rest: Rest) => T,
  flag: string,
  ...rest: Rest
): T | undefined {
  return text === undefined ? undefined : parse(text, flag, ...rest);
}

/** Without the options that were not given, which have their defaults elsewhere. */
export function given<T extends object>(options: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
