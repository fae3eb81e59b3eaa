import { own } from "./own.ts";

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
