import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keptTable } from "./kept-table.ts";

/** What was copied of an object. */
export interface Copied {
  readonly size: number;
  /** Of the source; null where nothing tells one from another. */
  readonly version: string | null;
}

/**
 * The objects that were written since the last checkpoint of their range. Not flushed for each: it is there for processes
 * that die, so that what they have paid for is not paid for again; a power cut may cost a chunk.
 */
export class Done {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  #pending: [key: string, copied: Copied][] = [];

  constructor(folder: string) {
    this.#database = keptTable(folder, { name: "copied", column: "what TEXT", cacheKb: 1024 });
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO copied VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT what FROM copied WHERE key = ?");
  }

  /** Whether an attempt that did not come to its checkpoint has left anything. */
  get isEmpty(): boolean {
    this.#flush();
    return this.#database.prepare("SELECT 1 FROM copied LIMIT 1").get() === undefined;
  }

  /** What was written of an object in an attempt that did not come to its checkpoint; null where none did. */
  left(key: string): Copied | null {
    this.#flush();
    const row = this.#find.get(key) as { what: string } | undefined;
    return row === undefined ? null : (JSON.parse(row.what) as Copied);
  }

  /** Stored with whatever else is added in this turn of the event loop. */
  add(key: string, copied: Copied): void {
    if (this.#pending.push([key, copied]) === 1) setImmediate(() => this.#flush());
  }

  /** Their checkpoint stands. */
  forget(keys: readonly string[]): void {
    if (keys.length === 0) return;
    this.#flush();
    const remove = this.#database.prepare("DELETE FROM copied WHERE key = ?");
    this.#database.exec("BEGIN");
    for (const key of keys) remove.run(key);
    this.#database.exec("COMMIT");
  }

  close(): void {
    this.#flush();
    this.#database.close();
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    this.#database.exec("BEGIN");
    for (const [key, copied] of pending) this.#insert.run(key, JSON.stringify(copied));
    this.#database.exec("COMMIT");
  }
}
