import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "../../sqlite.ts";

/** A table of keys that is kept beside a run, in a file of its own. */
export interface KeptTable {
  readonly name: string;
  /** What is kept of each key, as SQL. */
  readonly column: string;
  /** What may be held in memory of it. */
  readonly cacheKb: number;
}

/** Opens a database that its user alone may read; makes it where there is none. */
export function privateDatabase(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // What SQLite puts beside it gets the same mode.
  closeSync(openSync(path, "a", 0o600));
  return new DatabaseSync(path, { timeout: 5000 });
}

/**
 * Opens such a table; makes it where there is none. It is not flushed for each key: it is there for processes that die, and
 * a power cut may cost the last seconds.
 */
export function keptTable(folder: string, { name, column, cacheKb }: KeptTable): DatabaseSync {
  const database = privateDatabase(join(folder, `${name}.db`));
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -${cacheKb};
    CREATE TABLE IF NOT EXISTS ${name} (key TEXT PRIMARY KEY, ${column} NOT NULL) WITHOUT ROWID`,
  );
  return database;
}
