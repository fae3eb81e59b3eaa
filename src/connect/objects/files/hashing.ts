import { closeSync, openSync, readSync } from "node:fs";
import { availableParallelism } from "node:os";
import { callable, Pool } from "../../../pool/index.ts";
import { tagOfBytes } from "../tag.ts";

const READ_BYTES = 1024 * 1024;
/** More would take from those who copy. */
const MOST_THREADS = 4;

/** Takes the checksums of large files on other threads, which are started when there is something to do. */
export class Hashing {
  #pool: Pool | null = null;

  /** The MD5 of a file, or the tag of its parts of so many bytes. */
  async tagOfFile(path: string, partBytes: number | null): Promise<string> {
    this.#pool ??= new Pool({ isolate: "thread", workers: Math.min(MOST_THREADS, availableParallelism()) });
    return await this.#pool.submit(tagOfFile, path, partBytes).result();
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    this.#pool = null;
  }
}

const tagOfFile = callable(
  import.meta,
  async (path: string, partBytes: number | null): Promise<string> =>
    await tagOfBytes(piecesOf(path), partBytes),
);

/** A file piece by piece, always in the same memory. This thread has nothing else to do while it waits for the disk. */
async function* piecesOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = openSync(path, "r");
  try {
    const piece = Buffer.allocUnsafeSlow(READ_BYTES);
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece))
      yield piece.subarray(0, read);
  } finally {
    closeSync(file);
  }
}
