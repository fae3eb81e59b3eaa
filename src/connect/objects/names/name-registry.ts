import type { DatabaseSync, StatementSync } from "node:sqlite";
import { keptTable } from "../private-database.ts";

/**
 * Which object has which name in the target, where a transform gives names, so that no two get one. Kept
 * beside the run until it ends, on disk: there may be millions.
 */
export class NameRegistry {
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

  /** All names after one, in order, with what they were given to; at most `most` of them. */
  page(after: string | null, most: number): { key: string; origin: string }[] {
    const sql = `SELECT key, origin FROM taken ${after === null ? "" : "WHERE key > ?"} ORDER BY key LIMIT ${most}`;
    const rows = this.#database.prepare(sql).all(...(after === null ? [] : [after]));
    return rows as unknown as { key: string; origin: string }[];
  }

  /** The names that were given to an object: more than one where a transform called it otherwise in another attempt. */
  namesOf(origin: string): string[] {
    this.#database.exec("CREATE INDEX IF NOT EXISTS taken_origin ON taken (origin)");
    const rows = this.#database.prepare("SELECT key FROM taken WHERE origin = ?").all(origin);
    return (rows as unknown as { key: string }[]).map(({ key }) => key);
  }

  close(): void {
    this.#database.close();
  }
}
