import type { BigIntStats } from "node:fs";

const SECOND = 1_000_000_000n;

/** When a file was written last, in whole milliseconds since 1970. */
export function modifiedAt({ mtimeNs }: BigIntStats): number {
  return Math.floor(Number(mtimeNs / SECOND) * 1000 + Number(mtimeNs % SECOND) / 1e6);
}
