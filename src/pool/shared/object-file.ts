import { closeSync, fstatSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { sharedMemory } from "./memory.ts";

/** No system call takes more than 2 GiB at once. */
const PIECE = 2 ** 30;

/**
 * Writes memories into a new file, each at its offset, readable for this user alone. The last of the offsets is the
 * length of the file. Leaves no file behind where it fails. Throws what the file system throws.
 */
export function writeObject(
  path: string,
  memories: readonly SharedArrayBuffer[],
  offsets: readonly number[],
): void {
  const fd = openSync(path, "wx", 0o600);
  try {
    ftruncateSync(fd, offsets.at(-1));
    for (const [index, memory] of memories.entries()) {
      const bytes = new Uint8Array(memory);
      const from = offsets[index] as number;
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(fd, bytes, done, Math.min(PIECE, bytes.length - done), from + done);
      }
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Reads a file into shared memory. Throws what the file system throws, and PawlError("pool.shared-memory"). */
export function readObject(path: string): SharedArrayBuffer {
  const fd = openSync(path, "r");
  try {
    const memory = sharedMemory(fstatSync(fd).size, "A put object");
    const bytes = new Uint8Array(memory);
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(fd, bytes, done, Math.min(PIECE, bytes.length - done), done);
      if (read === 0) throw new Error(`${path} became shorter while it was read.`);
      done += read;
    }
    return memory;
  } finally {
    closeSync(fd);
  }
}
