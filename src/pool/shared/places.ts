import { statfsSync } from "node:fs";
import { freemem, tmpdir } from "node:os";

/** A file system in memory on Linux, in which every program can make files. */
const MEMORY = "/dev/shm";

const TMPFS = 0x01021994;

/** Where objects go that have no room in memory: the temporary directory, unless that is in memory itself. */
export function spillBase(): string {
  const base = tmpdir();
  return isInMemory(base) && !isInMemory("/var/tmp") ? "/var/tmp" : base;
}

/** Where other processes can get a file of that size: in memory if there is plenty, otherwise null. */
export function memoryBase(bytes: number): string | null {
  if (process.platform !== "linux" || freemem() < 2 * bytes) return null;
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= 2 * bytes ? MEMORY : null;
  } catch {
    return null;
  }
}

function isInMemory(base: string): boolean {
  if (process.platform !== "linux") return false;
  try {
    return statfsSync(base).type === TMPFS;
  } catch {
    // One that is not there is no place to go to either.
    return true;
  }
}
