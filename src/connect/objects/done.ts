import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keptTable } from "./kept-table.ts";

/**
 * The objects that were written since the last checkpoint of their range. Not flushed for each: it is there for processes
 * that die, so that what they have paid for is not paid for again; a power cut may cost a chunk.
 */
export class Done {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  #pending: [key: string, size: number][] = [];

  constructor(folder: string) {
    this.#database = keptTable(folder, { name: "done", column: "size INTEGER", cacheKb: 1024 });
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO done VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT size FROM done WHERE key = ?");
  }

  /** Whether an attempt that did not come to its checkpoint has left anything. */
  get isEmpty(): boolean {
    this.#flush();
    return this.#database.prepare("SELECT 1 FROM done LIMIT 1").get() === undefined;
  }

  /** The size with which an object was written in an attempt that did not come to its checkpoint; null where none did. */
  left(key: string): number | null {
    this.#flush();
    return (this.#find.get(key) as { size: number } | undefined)?.size ?? null;
  }

  /** Stored with whatever else is added in this turn of the event loop. */
  add(key: string, size: number): void {
    if (this.#pending.push([key, size]) === 1) setImmediate(() => this.#flush());
  }

  /** Their checkpoint stands. */
  forget(keys: readonly string[]): void {
    if (keys.length === 0) return;
    this.#flush();
    const remove = this.#database.prepare("DELETE FROM done WHERE key = ?");
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
    for (const [key, size] of pending) this.#insert.run(key, size);
    this.#database.exec("COMMIT");
  }
}
