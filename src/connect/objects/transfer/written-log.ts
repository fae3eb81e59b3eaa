import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { openKeyTable } from "../private-database.ts";

/** What was copied of an object. */
export interface WrittenObject {
  readonly size: number;
  /** Of the source; null where nothing tells one from another. */
  readonly version: string | null;
}

/** Whether a process has written objects of the run that keeps what it needs in this folder. */
export function hasBegun(folder: string): boolean {
  return existsSync(join(folder, "copied.db"));
}

/**
 * The objects that were written since the last checkpoint of their range. Not flushed for each: it is there for processes
 * that die, so that what they have paid for is not paid for again; a power cut may cost a chunk.
 */
export class WrittenLog {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  #pending: [key: string, copied: WrittenObject][] = [];
  /** Whether any name is left out. */
  #leavesOut: boolean;

  constructor(folder: string) {
    this.#database = openKeyTable(folder, { name: "copied", columns: "what TEXT NOT NULL", cacheKb: 1024 });
    this.#database.exec("CREATE TABLE IF NOT EXISTS left_out (key TEXT PRIMARY KEY) WITHOUT ROWID");
    this.#leavesOut = this.#database.prepare("SELECT 1 FROM left_out LIMIT 1").get() !== undefined;
    this.#insert = this.#database.prepare("INSERT OR REPLACE INTO copied VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT what FROM copied WHERE key = ?");
  }

  /** Whether an attempt that did not come to its checkpoint has left anything. */
  get isEmpty(): boolean {
    this.#flush();
    return this.#database.prepare("SELECT 1 FROM copied LIMIT 1").get() === undefined;
  }

  /** What was written of an object in an attempt that did not come to its checkpoint; null where none did. */
  find(key: string): WrittenObject | null {
    this.#flush();
    const row = this.#find.get(key) as { what: string } | undefined;
    return row === undefined ? null : (JSON.parse(row.what) as WrittenObject);
  }

  /** Stored with whatever else is added in this turn of the event loop. */
  add(key: string, copied: WrittenObject): void {
    if (this.#pending.push([key, copied]) === 1) setImmediate(() => this.#flush());
  }

  /** Once their checkpoint is stored. */
  forget(keys: readonly string[]): void {
    if (keys.length === 0) return;
    this.#flush();
    this.#each("DELETE FROM copied WHERE key = ?", keys);
  }

  /** Notes names under which the target got nothing, until it gets something. */
  leaveOut(names: readonly string[], given: readonly string[]): void {
    this.#each("DELETE FROM left_out WHERE key = ?", this.#leavesOut ? given : []);
    this.#each("INSERT OR IGNORE INTO left_out VALUES (?)", names);
    this.#leavesOut ||= names.length > 0;
  }

  isLeftOut(name: string): boolean {
    return (
      this.#leavesOut &&
      this.#database.prepare("SELECT 1 FROM left_out WHERE key = ?").get(name) !== undefined
    );
  }

  close(): void {
    this.#flush();
    this.#database.close();
  }

  #each(sql: string, keys: readonly string[]): void {
    if (keys.length === 0) return;
    const statement = this.#database.prepare(sql);
    this.#database.exec("BEGIN");
    for (const key of keys) statement.run(key);
    this.#database.exec("COMMIT");
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
