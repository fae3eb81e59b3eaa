import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { PawlError } from "../../errors.ts";
import { sizeText } from "../../sizes.ts";

/** A folder of one run for files that an engine reads and that are not files of the user: it is removed with all that is in it. */
export class StagingArea {
  readonly #folder: string;
  readonly #limit: number | null;
  #bytes = 0;
  #files = 0;

  /** `limit` is how many bytes all files may have together; null where only the disk limits them. */
  constructor(folder: string, limit: number | null) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** How many bytes have been asked for so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Asks for room before it is written to. `what` begins the sentence of the PawlError `data.staging`. */
  reserve(bytes: number, what: string): void {
    this.#bytes += bytes;
    if (this.#limit === null || this.#bytes <= this.#limit) return;
    throw new PawlError(
      "data.staging",
      `${what} needs ${sizeText(this.#bytes)} on this machine's disk so far, and ${sizeText(this.#limit)} are allowed: read fewer columns or files, filter by what the files are sorted or divided by, or allow more with \`spill\`.`,
    );
  }

  /** Gives room back, of a file that was removed. */
  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  /**
   * The path of a new file. Folders of its own path such as `year=2024` and the ending of its name are kept, since engines read
   * partitions and compression from them; what else it is called is not.
   */
  async path(name: string): Promise<string> {
    const parts = name.split("/");
    const partitions = parts.slice(0, -1).filter((part) => /^[^=]+=/.test(part));
    const ending = /(\.[A-Za-z0-9]{1,8}){1,2}$/.exec(parts.at(-1) ?? "")?.[0] ?? "";
    let folder = this.#folder;
    // One by one: what comes late must not make the folder of a run again that has been removed.
    for (const part of partitions) {
      folder = join(folder, part);
      await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
    return join(folder, `${String(this.#files++).padStart(6, "0")}${ending.toLowerCase()}`);
  }

  /** Opens a new file for writing. */
  async create(path: string): Promise<FileHandle> {
    return await open(path, "wx", 0o600);
  }
}

/** Writes all of some bytes at a position. Errors: `data.disk` where the disk is full. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file
      .write(bytes, done, bytes.length - done, position + done)
      .catch((error) => {
        throw explainDisk(error);
      });
    done += bytesWritten;
  }
}

/** What a disk says of a file that is staged. */
export function explainDisk(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new PawlError(
    "data.disk",
    "The disk of the spill folder is full: free some space, or name a folder of another disk with `spill`.",
    { cause: error },
  );
}
