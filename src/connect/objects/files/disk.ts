import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isSameFile } from "./file-version.ts";

/** An operation that takes no longer came from memory, or from a fast disk. */
const PROMPT_MS = 3;
/** After an operation that took longer, so many are given to other threads before the next is tried on this one. */
const SKIPPED_AFTER_SLOW = 100;

/** A file that is not larger is read and written in one go. */
export const ONE_GO_BYTES = 256 * 1024;

/**
 * How a file system answers. One that answers at once is asked on this thread, since handing a small thing to another and
 * taking it back costs several times what the thing itself does. One that lets us wait would hold up everything else here:
 * it is asked by way of other threads, and tried again from time to time.
 */
export class Disk {
  #skipped = 0;

  /** Whether to ask right here. */
  get isPrompt(): boolean {
    if (this.#skipped === 0) return true;
    this.#skipped--;
    return false;
  }

  /** Asks right here, and learns from how long that took. */
  ask<T>(work: () => T): T {
    const began = performance.now();
    try {
      return work();
    } finally {
      if (performance.now() - began > PROMPT_MS) this.#skipped = SKIPPED_AFTER_SLOW;
    }
  }
}

const probe = Buffer.alloc(1);

/**
 * Reads a file on this thread, into a piece of `into` where one is given; null where it has more than `most` bytes, is not
 * a file, gives more bytes than it says, or changes meanwhile.
 */
export function readInOneGo(
  path: string,
  most: number,
  into?: Buffer,
): { bytes: Buffer; found: BigIntStats } | null {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file, { bigint: true });
    if (!found.isFile() || found.size > most) return null;
    const size = Number(found.size);
    const bytes = into?.subarray(0, size) ?? Buffer.allocUnsafe(size);
    for (let filled = 0; filled < bytes.length; ) {
      const read = readSync(file, bytes, filled, bytes.length - filled, filled);
      if (read === 0) return null;
      filled += read;
    }
    // Some files have more than they say, such as those of /proc.
    if (readSync(file, probe, 0, 1, size) > 0) return null;
    return isSameFile(found, fstatSync(file, { bigint: true })) ? { bytes, found } : null;
  } finally {
    closeSync(file);
  }
}
