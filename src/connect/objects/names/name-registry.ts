import type { DatabaseSync, StatementSync } from "node:sqlite";
import { openKeyTable } from "../private-database.ts";
import { foldedName, type NameComparison } from "./case-folding.ts";

/**
 * A page of names in the order of the primary key, the name as the target compares it. `ORDER BY key` alone would take the result's
 * `key`, the name as it was given, which has another order: names between two pages would be left out.
 */
export function pageSql(continues: boolean, most: number): string {
  return `SELECT name AS key, origin FROM names ${continues ? "WHERE names.key > ?" : ""} ORDER BY names.key LIMIT ${most}`;
}

/**
 * Which object has which name in the target, where a transform gives names, so that no two objects get one. Kept
 * beside the run until it ends, on disk: there may be millions.
 */
export class NameRegistry {
  /** How the target compares names. */
  readonly comparison: NameComparison;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;

  constructor(folder: string, comparison: NameComparison) {
    this.comparison = comparison;
    this.#database = openKeyTable(folder, {
      name: "names",
      columns: "name TEXT NOT NULL, origin TEXT NOT NULL",
      cacheKb: 4096,
    });
    // Another attempt may give the same object its name in other letters.
    this.#insert = this.#database.prepare(
      "INSERT INTO names VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET name = excluded.name WHERE origin = excluded.origin",
    );
    this.#find = this.#database.prepare("SELECT origin FROM names WHERE key = ?");
  }

  /** Gives a name to the object that is read at `origin`; returns which other object has it, or null. */
  give(name: string, origin: string): string | null {
    const key = foldedName(name, this.comparison);
    if (this.#insert.run(key, name, origin).changes === 1) return null;
    return (this.#find.get(key) as { origin: string }).origin;
  }

  /** All names after one, in order, with what they were given to; at most `most` of them. */
  page(after: string | null, most: number): { key: string; origin: string }[] {
    const rows = this.#database
      .prepare(pageSql(after !== null, most))
      .all(...(after === null ? [] : [foldedName(after, this.comparison)]));
    return rows as unknown as { key: string; origin: string }[];
  }

  /** The names that were given to an object: more than one where a transform called it otherwise in another attempt. */
  namesOf(origin: string): string[] {
    this.#database.exec("CREATE INDEX IF NOT EXISTS names_origin ON names (origin)");
    const rows = this.#database.prepare("SELECT name FROM names WHERE origin = ?").all(origin);
    return (rows as unknown as { name: string }[]).map(({ name }) => name);
  }

  close(): void {
    this.#database.close();
  }
}
