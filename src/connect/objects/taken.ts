import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keptTable } from "./kept-table.ts";

/**
 * Which object has which name in the target, where a step or a transform gives names, so that no two get one. Kept
 * beside the run until it ends, on disk: there may be millions.
 */
export class Taken {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  constructor(folder: string) {
    this.#database = keptTable(folder, { name: "taken", column: "origin TEXT", cacheKb: 4096 });
    this.#insert = this.#database.prepare("INSERT OR IGNORE INTO taken VALUES (?, ?)");
    this.#find = this.#database.prepare("SELECT origin FROM taken WHERE key = ?");
  }

  /** Gives a name to the object that is read at `origin`; returns which other one has it, or null. */
  give(key: string, origin: string): string | null {
    if (this.#insert.run(key, origin).changes === 1) return null;
    const { origin: other } = this.#find.get(key) as { origin: string };
    return other === origin ? null : other;
  }

  close(): void {
    this.#database.close();
  }
}
