import { hash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { ObjectEntry } from "../contract.ts";
import { openKeyTable } from "../private-database.ts";
import { entryOf, type Manifest } from "./manifest.ts";
import { redactedUrl, redactionOf, unsignedUrl } from "./redacted-url.ts";

/**
 * The URLs of a manifest with a query, which is kept nowhere but there: for those that are replayed, and for those that were signed
 * again since they were listed. They are found by their checksum, or, where the manifest has been given fresh signatures, by the names of their objects. On disk for as long as this
 * process needs them, and read once.
 */
export class ManifestUrls {
  readonly #manifest: Manifest;
  #read: Promise<{ folder: string; database: DatabaseSync }> | null = null;

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
  }

  /** The URL of an entry; null where the manifest does not name it any more. */
  async of({ key, from = "" }: ObjectEntry): Promise<string | null> {
    const redaction = redactionOf(from);
    if (redaction === null) return from;
    this.#read ??= this.#readAll();
    const find = (await this.#read).database.prepare("SELECT url FROM urls WHERE key = ?");
    const row = (find.get(redaction) ?? find.get(`named ${key}`)) as { url: string } | undefined;
    return row?.url ?? null;
  }

  /** The same URL with the signature that the manifest gives it now; null where it gives no other. */
  async signedAgain(url: string): Promise<string | null> {
    this.#read ??= this.#readAll();
    const find = (await this.#read).database.prepare("SELECT url FROM urls WHERE key = ?");
    const row = find.get(`unsigned ${hash("sha256", unsignedUrl(url))}`) as { url: string } | undefined;
    return row === undefined || row.url === url ? null : row.url;
  }

  async close(): Promise<void> {
    const read = await this.#read?.catch(() => null);
    this.#read = null;
    read?.database.close();
    if (read) await rm(read.folder, { recursive: true, force: true });
  }

  async #readAll(): Promise<{ folder: string; database: DatabaseSync }> {
    const folder = await mkdtemp(join(tmpdir(), "pawl-urls-"));
    const database = openKeyTable(folder, { name: "urls", columns: "url TEXT NOT NULL", cacheKb: 4096 });
    const insert = database.prepare("INSERT OR IGNORE INTO urls VALUES (?, ?)");
    database.exec("BEGIN");
    for await (const row of this.#manifest.rows()) {
      const { key, from = "", problem } = await entryOf(row);
      if (problem !== undefined || redactedUrl(from) === from) continue;
      insert.run(hash("sha256", from), from);
      insert.run(`named ${key}`, from);
      const unsigned = unsignedUrl(from);
      if (unsigned !== from) insert.run(`unsigned ${hash("sha256", unsigned)}`, from);
    }
    database.exec("COMMIT");
    return { folder, database };
  }
}
