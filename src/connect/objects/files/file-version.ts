import type { BigIntStats } from "node:fs";

/** Whether what was looked at twice is one file that nobody has changed between. */
export function isSameFile(before: BigIntStats, after: BigIntStats): boolean {
  return (
    before.ino === after.ino &&
    before.dev === after.dev &&
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs
  );
}
