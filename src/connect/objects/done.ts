import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/**
 * The objects that were written since the last checkpoint of their range. Not flushed for each: it is there for processes
 * that die, so that what they have paid for is not paid for again; a power cut may cost a chunk.
 */
export class Done {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#database = new DatabaseSync(join(folder, "done.db"), { timeout: 5000 });
    this.#database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024;
      CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID`,
    );
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO done VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT size FROM done WHERE key = ?");
  }

  /** The size with which an object was written in an attempt that did not come to its checkpoint; null where none did. */
  left(key: string): number | null {
    return (this.#find.get(key) as { size: number } | undefined)?.size ?? null;
  }

  add(key: string, size: number): void {
    this.#insert.run(key, size);
  }

  /** Their checkpoint stands. */
  forget(keys: readonly string[]): void {
    const remove = this.#database.prepare("DELETE FROM done WHERE key = ?");
    this.#database.exec("BEGIN");
    for (const key of keys) remove.run(key);
    this.#database.exec("COMMIT");
  }

  close(): void {
    this.#database.close();
  }
}
