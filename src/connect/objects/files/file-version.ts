import type { BigIntStats } from "node:fs";

/** Whether two looks at a path have seen one file that was not changed in between. */
export function isSameFile(before: BigIntStats, after: BigIntStats): boolean {
  return (
    before.ino === after.ino &&
    before.dev === after.dev &&
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs
  );
}

const SECOND = 1_000_000_000n;

/** When a file was written last, in whole milliseconds since 1970. */
export function modifiedAt({ mtimeNs }: BigIntStats): number {
  return Math.floor(Number(mtimeNs / SECOND) * 1000 + Number(mtimeNs % SECOND) / 1e6);
}

/** Tells one state of a file from every later one: another file in its place, other bytes, or only another time. */
export function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
