import { PawlError } from "../../../errors.ts";
import type { Session } from "../connection.ts";
import type { Table } from "../table.ts";
import type { Keyset } from "./keyset.ts";

/**
 * Refuses a change after which rows have other keys than those by which the table is gone through: a row that moves could be met
 * twice, or never. Returns whether each change has to look itself, because what a trigger does cannot be told, or a key is
 * computed. Errors: `postgres.key-moves`.
 */
export async function assertKeyStays(
  session: Session,
  table: Table,
  { columns }: Keyset,
  set: readonly string[] | null,
): Promise<boolean> {
  const names = columns.map((column) => column.name);
  for (const trigger of table.updateTriggers) {
    const moved = names.find((name) => assigns(trigger.source, name));
    if (moved !== undefined) throw moves(table, moved, `the trigger ${trigger.name} gives it another value`);
  }
  const { rows } = await session.query<{ name: string; column: string; referred: string[] }>(
    `SELECT c.conname AS name, a.attname AS column,
            array(SELECT r.attname::text FROM pg_catalog.pg_attribute r WHERE r.attrelid = c.confrelid AND r.attnum = ANY (c.confkey)) AS referred
     FROM pg_catalog.pg_constraint c
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
     WHERE c.conrelid = $1 AND c.confrelid = $1 AND c.contype = 'f' AND c.confupdtype IN ('c', 'n', 'd')
       AND a.attname::text = ANY ($2::text[])`,
    [table.oid, names],
  );
  const cascade = rows.find(({ referred }) => set === null || referred.some((name) => set.includes(name)));
  if (cascade !== undefined)
    throw moves(table, cascade.column, `the foreign key ${cascade.name} changes it in other rows`);
  const { triggeredByUpdate: triggered } = table;
  return (
    columns.some((column) => column.generated) ||
    triggered === null ||
    names.some((name) => triggered.includes(name))
  );
}

/** Whether a trigger in PL/pgSQL gives a column of NEW a value that is not the one of OLD. */
function assigns(source: string, name: string): boolean {
  const column = `(?:${name.replace(/\W/g, "\\$&")}|"${name.replaceAll('"', '""').replace(/\W/g, "\\$&")}")`;
  const text = source.replaceAll(/--[^\n]*|\/\*.*?\*\//gs, " ");
  return new RegExp(
    `(?:^|;|\\b(?:begin|then|else|loop)\\b)\\s*new\\s*\\.\\s*${column}\\s*:?=(?!\\s*old\\s*\\.\\s*${column}\\s*;)`,
    "iu",
  ).test(text);
}

function moves(table: Table, column: string, why: string): PawlError {
  return new PawlError(
    "postgres.key-moves",
    `Rows of ${table.label} cannot be gone through by ${column}, for ${why} when they are changed: a row that moves could be met twice; name another unique key with --key.`,
  );
}

/** Throws where rows have other keys after a change that is not committed. */
export function assertNoneMoved(table: Table, { columns }: Keyset, moved: number): void {
  if (moved === 0) return;
  const names = columns.map((column) => column.name).join(", ");
  throw new PawlError(
    "postgres.key-moves",
    `The change gives ${moved} rows of ${table.label} another key (${names}), by a trigger or because it is computed, so that they could be met twice: ` +
      "it was taken back, with the rest of its chunk, while chunks before it are done; name another unique key with --key.",
  );
}
