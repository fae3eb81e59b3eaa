import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { TransientError } from "../../../errors.ts";
import type { Opened } from "../contract.ts";
import { explainFile } from "./trouble.ts";

const READ_BYTES = 1024 * 1024;

/** A small file that has been read already. */
export function wholeFile(bytes: Buffer, found: Stats, type: string | null): Opened {
  return {
    size: bytes.length,
    modified: modifiedAt(found),
    tag: null,
    properties: propertiesOf(type),
    async *body() {
      yield bytes;
    },
    async close() {},
  };
}

function modifiedAt({ mtimeMs }: Stats): number {
  return Math.floor(mtimeMs);
}

function propertiesOf(type: string | null): Opened["properties"] {
  return { headers: type === null ? {} : { "content-type": type }, metadata: {}, tags: null };
}

/** A file that is read as it is asked for. */
export class OpenFile implements Opened {
  readonly size: number;
  readonly modified: number;
  readonly tag = null;
  readonly properties: Opened["properties"];
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #found: Stats;

  constructor(file: FileHandle, path: string, found: Stats, type: string | null) {
    this.size = found.size;
    this.modified = modifiedAt(found);
    this.properties = propertiesOf(type);
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
