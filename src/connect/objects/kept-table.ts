import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A table of keys that is kept beside a run, in a file of its own. */
export interface KeptTable {
  readonly name: string;
  /** What is kept of each key, as SQL. */
  readonly column: string;
  /** What may be held in memory of it. */
  readonly cacheKb: number;
}

/**
 * Opens such a table; makes it where there is none. It is not flushed for each key: it is there for processes that die, and
 * a power cut may cost the last seconds.
 */
export function keptTable(folder: string, { name, column, cacheKb }: KeptTable): DatabaseSync {
  mkdirSync(folder, { recursive: true });
  const database = new DatabaseSync(join(folder, `${name}.db`), { timeout: 5000 });
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -${cacheKb};
    CREATE TABLE IF NOT EXISTS ${name} (key TEXT PRIMARY KEY, ${column} NOT NULL) WITHOUT ROWID`,
  );
  return database;
}
