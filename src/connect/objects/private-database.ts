import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "../../sqlite.ts";

/** Opens a database of SQLite that its user alone may read; makes it where there is none. */
export function openPrivateDatabase(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // What SQLite puts beside it gets the same mode.
  closeSync(openSync(path, "a", 0o600));
  return new DatabaseSync(path, { timeout: 5000 });
}

/** A table that keeps something of each key. */
export interface KeyTable {
  readonly name: string;
  /** What is kept of each key, as SQL. */
  readonly columns: string;
  /** How much of it may be held in memory. */
  readonly cacheKb: number;
}

/**
 * Opens such a table in a file of its own beside a run; makes it where there is none. It is not flushed for each key: it is there
 * for processes that die, and a power cut may cost the last seconds.
 */
export function openKeyTable(folder: string, { name, columns, cacheKb }: KeyTable): DatabaseSync {
  const database = openPrivateDatabase(join(folder, `${name}.db`));
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -${cacheKb};
    CREATE TABLE IF NOT EXISTS ${name} (key TEXT PRIMARY KEY, ${columns}) WITHOUT ROWID`,
  );
  return database;
}
