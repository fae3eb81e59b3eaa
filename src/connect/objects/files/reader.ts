import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { contentTypeOf } from "../content-type.ts";
import type { ObjectEntry, Opened, Page, ReadPlace } from "../contract.ts";
import { explainFile } from "./trouble.ts";
import { walk } from "./walk.ts";

const READ_BYTES = 1024 * 1024;

/** A folder whose files are copied. */
export class FileReader implements ReadPlace {
  readonly name: string;
  readonly #root: string;
  readonly #scratch: string;

  /** `scratch` is a folder for what is too much to be sorted in memory. */
  constructor(root: string, scratch: string) {
    this.name = root;
    this.#root = root;
    this.#scratch = scratch;
  }

  async check(): Promise<void> {
    const found = await stat(this.#root).catch(() => null);
    if (found?.isDirectory()) return;
    throw new PawlError(
      "copy.no-folder",
      found === null
        ? `There is no folder ${this.#root} to copy from: check the path.`
        : `${this.#root} is a file: name the folder that it lies in, and the file with --include.`,
    );
  }

  list(from: string | null, signal: AbortSignal): AsyncIterable<Page> {
    return walk(this.#root, from, this.#scratch, signal);
  }

  async open(entry: ObjectEntry): Promise<Opened> {
    const path = this.where(entry);
    // What is no file, such as a pipe, must not make opening wait.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
      throw explainFile(error, path, "read");
    });
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new ItemError("it is no file", { code: "copy.not-a-file" });
      return new OpenFile(file, path, found, contentTypeOf(entry.key));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async partBytes(): Promise<null> {
    return null;
  }

  async remove(entry: ObjectEntry): Promise<void> {
    await unlink(this.where(entry)).catch((error) => {
      if (error.code !== "ENOENT") throw explainFile(error, this.where(entry), "remove");
    });
  }

  where({ key, from = key }: ObjectEntry): string {
    return join(this.#root, from);
  }

  async close(): Promise<void> {}
}

class OpenFile implements Opened {
  readonly size: number;
  readonly modified: number;
  readonly tag = null;
  readonly properties: Opened["properties"];
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #found: Stats;

  constructor(file: FileHandle, path: string, found: Stats, type: string | null) {
    this.size = found.size;
    this.modified = Math.floor(found.mtimeMs);
    this.properties = { headers: type === null ? {} : { "content-type": type }, metadata: {}, tags: null };
    this.#file = file;
    this.#path = path;
    this.#found = found;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < this.size; at += READ_BYTES) {
      const bytes = Buffer.allocUnsafe(Math.min(READ_BYTES, this.size - at));
      await this.range(at, bytes);
      yield bytes;
    }
  }

  async range(offset: number, into: Buffer): Promise<void> {
    const { length } = into;
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file
        .read(into, filled, length - filled, offset + filled)
        .catch((error) => {
          throw explainFile(error, this.#path, "read");
        });
      if (bytesRead === 0) throw this.#changed();
      filled += bytesRead;
    }
    // The last bytes tell whether it was the same file all along.
    if (offset + length === this.size) {
      const now = await this.#file.stat();
      if (now.size !== this.size || now.mtimeMs !== this.#found.mtimeMs) throw this.#changed();
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #changed(): TransientError {
    return new TransientError("copy.changed", `${this.#path} was changed while it was read`);
  }
}
