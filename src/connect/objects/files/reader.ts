import { type BigIntStats, constants, statSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { contentTypeOf } from "../content-headers.ts";
import type { ListedPage, ListRange, ObjectEntry, ObjectReader, OpenObject } from "../contract.ts";
import type { ChecksumCache } from "./checksum-cache.ts";
import { Disk, ONE_GO_BYTES, readInOneGo } from "./disk.ts";
import { explainFile } from "./file-error.ts";
import { etagOfFile, type FileChecksums } from "./file-etag.ts";
import { isSameFile, modifiedAt, versionOf } from "./file-version.ts";
import { assertSameFolder, folderLocation } from "./folder-location.ts";
import { removeFile } from "./remove-file.ts";
import { walk } from "./walk.ts";

/** A file is read in pieces of so many bytes. */
const READ_BYTES = 1024 * 1024;

/** A folder whose files are copied. */
export class FileReader implements ObjectReader {
  readonly name: string;
  readonly #root: string;
  readonly #scratch: string;
  readonly #disk: Disk;
  readonly #checksums: FileChecksums;

  /** `scratch` is a folder for what is too much to be sorted in memory. */
  constructor(root: string, scratch: string, checksums: FileChecksums, disk = new Disk()) {
    this.name = root;
    this.#root = root;
    this.#scratch = scratch;
    this.#checksums = checksums;
    this.#disk = disk;
  }

  async check(): Promise<void> {
    const found = await stat(this.#root).catch(() => null);
    if (found?.isDirectory()) return;
    throw new PawlError(
      "copy.no-folder",
      found === null
        ? `There is no folder ${this.#root} to copy from: check the path.`
        : `${this.#root} is a file: name the folder that it lies in, and the file with \`include\`.`,
    );
  }

  async *list(
    from: string | null,
    signal: AbortSignal,
    { skips }: ListRange = {},
  ): AsyncGenerator<ListedPage, void, undefined> {
    const options = { disk: this.#disk, cache: this.#checksums.cache, skips: skips ?? (() => false) };
    const before = await folderLocation(this.#root);
    for await (const page of walk(this.#root, from, this.#scratch, signal, options)) {
      // Of a disk that goes while it is listed, the end is not that of its files.
      if (page.next === null) await assertSameFolder(this.#root, before);
      yield page;
    }
  }

  async open(entry: ObjectEntry): Promise<OpenObject> {
    const path = this.where(entry);
    const type = contentTypeOf(entry.key);
    const { cache } = this.#checksums;
    if (entry.size !== null && entry.size <= ONE_GO_BYTES && this.#disk.isPrompt) {
      const whole = this.#whole(path);
      if (whole !== null) return wholeFile(whole.bytes, { path, type, cache, found: whole.found });
    }
    // Opening must not wait for something that is not a file, such as a pipe.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
      throw explainFile(error, path, "read");
    });
    try {
      const found = await file.stat({ bigint: true });
      if (!found.isFile()) throw new ItemError("it is not a file", { code: "copy.not-a-file" });
      return new OpenFile(file, { path, found, type, cache });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async partBytes(): Promise<null> {
    return null;
  }

  async etagOf(entry: ObjectEntry, partBytes: number | null): Promise<string> {
    const checksums = { ...this.#checksums, disk: this.#disk };
    return await etagOfFile(this.where(entry), { size: entry.size, partBytes }, checksums);
  }

  cachedEtag(entry: ObjectEntry, partBytes: number | null): string | null {
    const { cache } = this.#checksums;
    if (cache === null || !this.#disk.isPrompt) return null;
    try {
      const found = this.#disk.ask(() => statSync(this.where(entry), { bigint: true }));
      return cache.find(found, partBytes);
    } catch {
      // It is gone, or may not be read: opening it will tell.
      return null;
    }
  }

  async version(entry: ObjectEntry): Promise<string | null> {
    const path = this.where(entry);
    return await stat(path, { bigint: true }).then(versionOf, (error) => {
      if (error.code === "ENOENT") return null;
      throw explainFile(error, path, "read");
    });
  }

  async remove(entry: ObjectEntry, version: string): Promise<void> {
    const path = this.where(entry);
    await removeFile(path, version).catch((error) => {
      throw error instanceof PawlError ? error : explainFile(error, path, "remove");
    });
  }

  /** What the walk found wrong, opening it will tell; of a file that was all right but for its name the problem stays. */
  forReplay({ problem, ...entry }: ObjectEntry): ObjectEntry {
    const isOpenedAgain = entry.size === null && !entry.key.endsWith("/");
    return problem === undefined || isOpenedAgain ? entry : { ...entry, problem };
  }

  where({ key, from = key }: ObjectEntry): string {
    return join(this.#root, from);
  }

  async close(): Promise<void> {}

  #whole(path: string) {
    try {
      return this.#disk.ask(() => readInOneGo(path, ONE_GO_BYTES));
    } catch (error) {
      throw explainFile(error, path, "read");
    }
  }
}

/** What opening a file has shown. */
interface FoundFile {
  readonly path: string;
  readonly found: BigIntStats;
  /** As its name says. */
  readonly type: string | null;
  readonly cache: ChecksumCache | null;
}

/** A small file that has been read already. */
function wholeFile(bytes: Buffer, { found, type, cache }: FoundFile): OpenObject {
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
class OpenFile implements OpenObject {
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
