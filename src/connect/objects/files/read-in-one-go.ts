import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/** Reads a file on this thread; null where it has more than `most` bytes, is no file, or changes meanwhile. */
export function readInOneGo(path: string, most: number): { bytes: Buffer; found: Stats } | null {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (!found.isFile() || found.size > most) return null;
    const bytes = Buffer.allocUnsafe(found.size);
    for (let filled = 0; filled < bytes.length; ) {
      const read = readSync(file, bytes, filled, bytes.length - filled, filled);
      if (read === 0) return null;
      filled += read;
    }
    const now = fstatSync(file);
    return now.size === found.size && now.mtimeMs === found.mtimeMs ? { bytes, found } : null;
  } finally {
    closeSync(file);
  }
}
