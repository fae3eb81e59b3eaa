import { PawlError } from "../../../../errors.ts";
import { type Column, findColumn, type Table, withoutKey } from "../../catalog.ts";
import { optionText } from "../../option-text.ts";
import type { OnConflict } from "../../options.ts";

/** What identifies a row of the target. */
export interface Key {
  readonly columns: readonly Column[];
  /** A key with a null never meets another one. */
  readonly nullable: boolean;
}

/**
 * Chooses the key: the one asked for, otherwise the primary key. `given` are the columns the items bring, where
 * that is known. Returns null where none is needed; throws one sentence where one is needed and missing.
 */
export function chooseKey(
  table: Table,
  asked: readonly string[] | undefined,
  mode: OnConflict,
  given: ReadonlySet<string> | null,
  source: string,
): Key | null {
  if (asked !== undefined && asked.length > 0) return askedKey(table, asked, mode);
  const [first] = table.keys;
  const primary = first?.primary ? first : null;
  const missing = primary?.columns.filter((name) => given !== null && !given.has(name)) ?? [];
  if (primary !== null && missing.length === 0) return keyOf(table, primary.columns, true);
  if (mode === "fail") return null;
  if (primary !== null) {
    throw new PawlError(
      "postgres.key-missing",
      `The key column "${missing[0]}" of ${table.label} is not in ${source}: map it with \`map: { "csv": ${optionText(missing[0] ?? "")} }\`, ` +
        `name another unique key with \`key\`${others(table)}, or append with \`append: true\`.`,
    );
  }
  throw new PawlError(
    "postgres.no-key",
    `${withoutKey(table)}: name the columns of a unique index with \`key\`${others(table)}, or append ` +
      "every row with `append: true`.",
  );
}

function askedKey(table: Table, asked: readonly string[], mode: OnConflict): Key | null {
  const columns = asked.map((name) => findColumn(table, name, "postgres.key-unknown", "`key`"));
  const names = columns.map((column) => column.name);
  const index = table.keys.find(
    (candidate) =>
      candidate.columns.length === names.length && names.every((name) => candidate.columns.includes(name)),
  );
  if (index !== undefined) return keyOf(table, names, index.nullsEqual);
  if (mode === "fail") return keyOf(table, names, false);
  throw new PawlError(
    "postgres.key-not-unique",
    `${table.label} has no unique index on (${names.join(", ")}): run CREATE UNIQUE INDEX ON ${table.label} ` +
      `(${names.join(", ")}), or name other columns with \`key\`.`,
  );
}

function keyOf(table: Table, names: readonly string[], nullsEqual: boolean): Key {
  const columns = names.map((name) => findColumn(table, name, "postgres.key-unknown", "key"));
  return { columns, nullable: !nullsEqual && columns.some((column) => !column.notNull) };
}

function others(table: Table): string {
  const keys = table.keys.filter((key) => !key.primary).map((key) => key.columns.join(","));
  return keys.length === 0 ? "" : ` (${keys.join(" or ")})`;
}
