import { constants, statSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { ItemError, PawlError } from "../../../errors.ts";
import { contentTypeOf } from "../content-headers.ts";
import type { ListedPage, ListRange, ObjectEntry, ObjectReader, OpenObject } from "../contract.ts";
import { Disk, ONE_GO_BYTES, readInOneGo } from "./disk.ts";
import { explainFile } from "./file-error.ts";
import { etagOfFile, type FileChecksums } from "./file-etag.ts";
import { versionOf } from "./file-version.ts";
import { assertSameFolder, folderLocation } from "./folder-location.ts";
import { OpenFile, wholeFile } from "./open-file.ts";
import { removeFile } from "./remove-file.ts";
import { walk } from "./walk.ts";

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
        : `${this.#root} is a file: name the folder that it lies in, and the file with include (--include).`,
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
