import { PawlError } from "../errors.ts";
import { own, setOwn } from "../own.ts";
import { grouped } from "./grouped.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  K: 1024,
  KB: 1024,
  M: 1024 ** 2,
  MB: 1024 ** 2,
  G: 1024 ** 3,
  GB: 1024 ** 3,
};

/** Parses `256MB`, `1.5GB` or a plain number of bytes. */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = match ? own(UNITS, (match[2] ?? "").toUpperCase()) : undefined;
  if (!match || unit === undefined) {
    throw new PawlError("usage.size", `${flag} takes a size such as 256MB or 1GB, not "${text}".`);
  }
  return Math.round(Number(match[1]) * unit);
}

/** Parses a whole number of at least `least`. */
export function parseCount(text: string, flag: string, least: number): number {
  if (!/^\d+$/.test(text.trim()) || Number(text) < least) {
    throw new PawlError("usage.count", `${flag} takes a whole number of at least ${least}, not "${text}".`);
  }
  return Number(text);
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

/** Parses a comma-separated list of names. */
export function parseNames(text: string, flag: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.some((name) => name === "")) {
    throw new PawlError("usage.names", `${flag} takes names separated by commas, not "${text}".`);
  }
  return names;
}

export function megabytes(bytes: number): string {
  const size = bytes / 1024 ** 2;
  return `${size < 1 ? Number(size.toFixed(2)) : grouped(size)} MB`;
}

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** Parses `200ms`, `5s`, `1.5min` or a plain number of milliseconds; returns milliseconds. */
export function parseDuration(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim());
  const unit = match ? own(DURATIONS, match[2] || "ms") : undefined;
  if (!match || unit === undefined || Number(match[1]) === 0) {
    throw new PawlError("usage.duration", `${flag} takes a time such as 200ms, 5s or 2min, not "${text}".`);
  }
  return Number(match[1]) * unit;
}

/** Parses a number of at least 0. */
export function parseNumber(text: string, flag: string): number {
  if (/^\d+(\.\d+)?$/.test(text.trim())) return Number(text);
  throw new PawlError("usage.number", `${flag} takes a number such as 4 or 1.5, not "${text}".`);
}

function isCalendarDay(date: string): boolean {
  const midnight = new Date(`${date}T00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date);
}

/** A date as ISO 8601, or how many milliseconds ago: kept as it was said, so that the same command means the same. */
export function parseTime(text: string, flag: string): string | number {
  const days = /^(\d+(?:\.\d+)?)\s*d$/.exec(text.trim());
  if (days) return Number(days[1]) * 86_400_000;
  if (/^\d+(\.\d+)?\s*(ms|s|min|h)$/.test(text.trim())) return parseDuration(text, flag);
  const at = Date.parse(text);
  // A day that its month does not have would be one of the next.
  const [date] = /^\d{4}-\d{2}-\d{2}/.exec(text.trim()) ?? [];
  const isDay = date === undefined || isCalendarDay(date);
  if (!Number.isNaN(at) && isDay) return new Date(at).toISOString();
  throw new PawlError(
    "usage.time",
    `${flag} takes a date such as 2026-01-31 or a time such as 24h or 7d, not "${text}".`,
  );
}
