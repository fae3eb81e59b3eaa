import { createHash } from "node:crypto";

/** An object that is kept. Headers are those that come back with it: its type, its metadata, one character a byte. */
export interface Kept {
  readonly body: Buffer;
  readonly etag: string;
  readonly modified: Date;
  readonly headers: Readonly<Record<string, string>>;
  /** As a query string; empty without any. */
  readonly tags: string;
  /** How long each part is of an object that was uploaded in parts; null of any other. */
  readonly parts: readonly number[] | null;
}

/** An upload in parts that is neither completed nor aborted. */
export interface Begun {
  readonly key: string;
  readonly initiated: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags: string;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

/** What a bucket holds, in memory. */
export class Bucket {
  readonly uploads = new Map<string, Begun>();
  readonly #objects = new Map<string, Kept>();
  /** In the order of their bytes; null after a change. */
  #keys: readonly string[] | null = null;

  get(key: string): Kept | undefined {
    return this.#objects.get(key);
  }

  set(key: string, kept: Kept): void {
    if (!this.#objects.has(key)) this.#keys = null;
    this.#objects.set(key, kept);
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#keys = null;
  }

  keys(): readonly string[] {
    this.#keys ??= [...this.#objects.keys()]
      .map((key) => ({ key, bytes: Buffer.from(key) }))
      .sort((a, b) => a.bytes.compare(b.bytes))
      .map(({ key }) => key);
    return this.#keys;
  }
}

export function md5(body: Buffer): string {
  return createHash("md5").update(body).digest("hex");
}

/** The ETag of an object of parts: the MD5 of their MD5s, and how many they are. */
export function etagOfParts(etags: readonly string[]): string {
  return `${md5(Buffer.from(etags.join(""), "hex"))}-${etags.length}`;
}
