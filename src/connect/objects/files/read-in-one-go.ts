import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isSameFile } from "./file-version.ts";

const probe = Buffer.alloc(1);

/**
 * Reads a file on this thread, into a piece of `into` where one is given; null where it has more than `most` bytes, is no
 * file, gives more bytes than it says, or changes meanwhile.
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
