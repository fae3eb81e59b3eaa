import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { S3Client } from "../../connect/objects/s3/client.ts";
import { md5 } from "../../connect/objects/scene.ts";

/** An object as others see it. */
export interface Sight {
  readonly size: number;
  /** Null where a look does not tell. */
  readonly md5: string | null;
}

/** One end of a copy, as another program sees it. */
export interface Side {
  put(key: string, body: Buffer): Promise<void>;
  /** What is visible now, apart from files that are being written. */
  look(): Promise<Map<string, Sight>>;
  read(key: string): Promise<Buffer>;
  /** What should not be left: files and uploads that were begun and not ended. */
  leftovers(): Promise<string[]>;
}

export class BucketSide implements Side {
  readonly #bucket: S3Client;

  constructor(bucket: S3Client) {
    this.#bucket = bucket;
  }

  put(key: string, body: Buffer): Promise<void> {
    return this.#bucket.put(key, body);
  }

  async look(): Promise<Map<string, Sight>> {
    const seen = new Map<string, Sight>();
    for (const { key, size, etag } of await this.#bucket.all()) {
      const tag = etag.replaceAll('"', "");
      seen.set(key, { size, md5: /^[0-9a-f]{32}$/.test(tag) ? tag : null });
    }
    return seen;
  }

  async read(key: string): Promise<Buffer> {
    return (await this.#bucket.get(key)).body;
  }

  leftovers(): Promise<string[]> {
    return this.#bucket.unfinished();
  }
}

/** The names that Pawl says it writes under (docs/copy.md). */
const BEING_WRITTEN = /(^|\/)\.pawl-[^/]*\.part$/;

export class FolderSide implements Side {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(key: string, body: Buffer): Promise<void> {
    await mkdir(dirname(join(this.#folder, key)), { recursive: true });
    await writeFile(join(this.#folder, key), body);
  }

  async look(): Promise<Map<string, Sight>> {
    const seen = new Map<string, Sight>();
    for (const key of await this.#files()) {
      if (BEING_WRITTEN.test(key)) continue;
      seen.set(key, { size: (await stat(join(this.#folder, key))).size, md5: null });
    }
    return seen;
  }

  read(key: string): Promise<Buffer> {
    return readFile(join(this.#folder, key));
  }

  async leftovers(): Promise<string[]> {
    return (await this.#files()).filter((key) => BEING_WRITTEN.test(key));
  }

  async #files(): Promise<string[]> {
    await mkdir(this.#folder, { recursive: true });
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.#folder.length + 1));
  }
}

/** What a side must look like. */
export function sightOf(body: Buffer): Sight {
  return { size: body.length, md5: md5(body) };
}
