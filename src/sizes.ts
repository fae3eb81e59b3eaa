import { quoted } from "./arguments.ts";
import { PawlError } from "./errors.ts";
import { own } from "./own.ts";

type Unit = "B" | "K" | "M" | "G" | "T" | "KB" | "kB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB";

/** Bytes, or a number with its unit: `"64KB"`, `"256MB"`, `"1.5GiB"`. All units are powers of 1,024, as memory is counted. */
export type Size = number | `${number}${Unit}`;

/** Units of 1,024, whatever their spelling: memory is counted so. */
const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/**
 * Bytes of a number with its unit, such as `256MB`, `1.5 GiB`, `64k` or `100B`, in capitals or not; NaN for everything else, and
 * for what is more than can be counted.
 */
export function bytesOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:I?B)?|B)$/i.exec(text.trim());
  if (match === null) return Number.NaN;
  const bytes = Math.round(Number(match[1]) * (own(UNITS, (match[2] ?? "B").toUpperCase()) ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : Number.NaN;
}

/**
 * Bytes of a size; `Infinity` stays what it is.
 *
 * @param what where it stands, such as `The memory of a job`; it begins the sentence of the error
 * @throws PawlError `argument.size` for what is not a size
 */
export function bytes(size: Size, what: string): number {
  const count = typeof size === "number" ? size : typeof size === "string" ? bytesOf(size) : Number.NaN;
  if (count >= 0) return count;
  throw new PawlError(
    "argument.size",
    `${typeof what === "string" && what !== "" ? what : "A size"} must be bytes or a size such as "256MB" or "1GiB", not ${quoted(size)}.`,
  );
}

const NAMES = ["B", "KB", "MB", "GB", "TB"] as const;

/** A size for people: `812 B`, `1.5 KB`, `24 MB`, `1,234 TB`; at most three digits that mean something below 1,000. */
export function sizeText(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < NAMES.length - 1) {
    value /= 1024;
    unit++;
  }
  const rounded = value >= 100 || unit === 0 ? Math.round(value) : Number(value.toPrecision(3));
  return `${String(rounded).replace(/\B(?=(\d{3})+$)/g, ",")} ${NAMES[unit]}`;
}
