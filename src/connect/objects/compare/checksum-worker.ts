import { createHash, type Hash, hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { callable } from "../../../pool/index.ts";
import { etagOfBytes } from "./etag.ts";

const READ_BYTES = 1024 * 1024;

export type Algorithm = "md5" | "sha256";

/** Takes checksums in a thread of its own. Bytes come in memory that threads share, and are not copied. */
export class ChecksumWorker {
  readonly #running = new Map<number, Hash>();

  digest(algorithm: Algorithm, bytes: Uint8Array): string {
    return hash(algorithm, bytes);
  }

  /** Goes on with the MD5 of a content that comes piece by piece; a number that was not heard before begins another. */
  update(id: number, bytes: Uint8Array): void {
    let md5 = this.#running.get(id);
    if (md5 === undefined) {
      md5 = createHash("md5");
      this.#running.set(id, md5);
    }
    md5.update(bytes);
  }

  /** Ends it. */
  finish(id: number): string {
    const md5 = this.#running.get(id) ?? createHash("md5");
    this.#running.delete(id);
    return md5.digest("hex");
  }

  /** The MD5 of a file, or the ETag of its parts of so many bytes. */
  etagOfFile(path: string, partBytes: number | null): Promise<string> {
    return etagOfBytes(piecesOf(path), partBytes);
  }
}
callable(import.meta, ChecksumWorker);

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
