import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { ItemError, TransientError } from "../../../errors.ts";
import type { OpenObject } from "../contract.ts";
import type { ChecksumCache } from "./checksum-cache.ts";
import { explainFile } from "./file-error.ts";
import { isSameFile, modifiedAt, versionOf } from "./file-version.ts";

const READ_BYTES = 1024 * 1024;

/** What opening a file has shown. */
export interface FoundFile {
  readonly path: string;
  readonly found: BigIntStats;
  /** As its name says. */
  readonly type: string | null;
  readonly cache: ChecksumCache | null;
}

/** A small file that has been read already. */
export function wholeFile(bytes: Buffer, { found, type, cache }: FoundFile): OpenObject {
  return {
    version: versionOf(found),
    size: bytes.length,
    modified: modifiedAt(found),
    etag: null,
    properties: propertiesOf(type),
    async *body() {
      yield bytes;
    },
    async rememberEtag(etag, partBytes) {
      cache?.keep(found, partBytes, etag);
    },
    async close() {},
  };
}

function propertiesOf(type: string | null): OpenObject["properties"] {
  return { headers: type === null ? {} : { "content-type": type }, metadata: {}, tags: null };
}

/** A file that is read as it is asked for. */
export class OpenFile implements OpenObject {
  readonly version: string;
  readonly size: number;
  readonly modified: number;
  readonly etag = null;
  readonly properties: OpenObject["properties"];
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #found: BigIntStats;
  readonly #known: ChecksumCache | null;

  constructor(file: FileHandle, { path, found, type, cache }: FoundFile) {
    this.version = versionOf(found);
    this.size = Number(found.size);
    this.modified = modifiedAt(found);
    this.properties = propertiesOf(type);
    this.#file = file;
    this.#path = path;
    this.#found = found;
    this.#known = cache;
  }

  async *body(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < this.size; at += READ_BYTES) {
      const bytes = Buffer.allocUnsafe(Math.min(READ_BYTES, this.size - at));
      await this.range(at, bytes);
      yield bytes;
    }
    if (this.size === 0) await this.#assertEnd();
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
    if (offset + length === this.size) await this.#assertEnd();
  }

  async rememberEtag(etag: string, partBytes: number | null): Promise<void> {
    if (this.#known !== null && (await this.#isAsFound())) this.#known.keep(this.#found, partBytes, etag);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #isAsFound(): Promise<boolean> {
    return isSameFile(this.#found, await this.#file.stat({ bigint: true }));
  }

  /** At the end it shows whether it was the same file all along, and had no more than it says. */
  async #assertEnd(): Promise<void> {
    const { bytesRead } = await this.#file.read(Buffer.alloc(1), 0, 1, this.size).catch((error) => {
      throw explainFile(error, this.#path, "read");
    });
    if (bytesRead > 0 && Number((await this.#file.stat()).size) === this.size)
      throw new ItemError(`it gives more bytes than the ${this.size} that it says to have`, {
        code: "copy.size",
      });
    if (!(await this.#isAsFound())) throw this.#changed();
  }

  #changed(): TransientError {
    return new TransientError("copy.changed", `${this.#path} was changed while it was read`);
  }
}
