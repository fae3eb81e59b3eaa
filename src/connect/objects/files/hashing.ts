import { createReadStream } from "node:fs";
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
    await tagOfBytes(createReadStream(path, { highWaterMark: READ_BYTES }), partBytes),
);
