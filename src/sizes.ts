import { own } from "./own.ts";

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
