import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/**
 * The objects that were written since the last checkpoint of their range. Not flushed for each: it is there for processes
 * that die, so that what they have paid for is not paid for again; a power cut may cost a chunk.
 */
export class Done {
  readonly #database: DatabaseSync;
  /** Nothing was left behind: nothing needs to be looked up. */
  readonly #fresh: boolean;
  readonly #insert: StatementSync;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#database = new DatabaseSync(join(folder, "done.db"), { timeout: 5000 });
    this.#database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024;
      CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID`,
    );
    this.#fresh = this.#database.prepare("SELECT 1 FROM done LIMIT 1").get() === undefined;
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO done VALUES (?, ?)");
  }

  /** The size with which a process that died wrote an object; null where none did. */
  left(key: string): number | null {
    if (this.#fresh) return null;
    const row = this.#database.prepare("SELECT size FROM done WHERE key = ?").get(key);
    return (row as { size: number } | undefined)?.size ?? null;
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
