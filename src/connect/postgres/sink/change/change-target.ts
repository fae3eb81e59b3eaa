import type { SinkContext } from "../../../../batch/contract.ts";
import { PawlError } from "../../../../errors.ts";
import { findTable, refuseRules, type Table, unknownTable } from "../../catalog.ts";
import { quoteName } from "../../identifier.ts";
import type { UpdateOptions } from "../../options.ts";
import type { PostgresSession } from "../../session.ts";
import { chooseKeyset, type Keyset } from "../../source/keyset.ts";
import { checkServer } from "../check-server.ts";
import { type Assignment, checkExpressions, type GivenExpression, givenExpressions } from "../expressions.ts";
import { TransformCheck } from "../transform-check.ts";

/** What is done to rows, and which. */
export interface ChangeTarget {
  readonly change: "update" | "delete";
  readonly table: Table;
  readonly keyset: Keyset;
  readonly set: readonly Assignment[];
  /** Triggers may keep a row as it is. */
  readonly triggersBefore: boolean;
  /** Whether a change may give rows another key, so that each has to look. */
  readonly keyMayChange: boolean;
  readonly transformCheck: TransformCheck;
  /** Which server and database it is in; see `PostgresSession.address`. */
  readonly address: string;
}

/** Looks at the table and at what is to be done; throws one sentence where that cannot work. Needs a transaction. */
export async function changeTarget(
  session: PostgresSession,
  change: ChangeTarget["change"],
  options: UpdateOptions,
  context: SinkContext,
): Promise<ChangeTarget> {
  await checkServer(session, options.url, false);
  const table = await findTable(session, options.table);
  if (table === null) throw await unknownTable(session, options.table, "check its name and its schema.");
  refuseRules(table, change === "update" ? "UPDATE" : "DELETE");
  const keyset = await chooseKeyset(session, table, options.key);
  if (context.transformed) assertUnique(table, keyset);
  const given = changedColumns(table, keyset, options.set ?? {});
  await checkRights(session, change, table, given);
  const set = await checkExpressions(session, given, {
    row: () => table.sql,
    statement: ({ column, expression }) =>
      `UPDATE ${table.sql} SET ${quoteName(column.name)} = (${expression}\n)`,
    advice: `it may use the columns of ${table.label}`,
  });
  if (
    change === "update" &&
    set.length === 0 &&
    !context.transformed &&
    context.source.name === table.label
  ) {
    throw new PawlError(
      "postgres.nothing-to-change",
      `Nothing says what to change in ${table.label}: give \`set: { column: expression }\`, or a transform that returns the columns to change.`,
    );
  }
  const triggersBefore = change === "update" ? table.triggersBeforeUpdate : table.triggersBeforeDelete;
  const changed = context.transformed ? null : set.map(({ column }) => column.name);
  const moving = change === "update" && (await assertKeyStays(session, table, keyset, changed));
  return {
    change,
    table,
    keyset,
    set,
    triggersBefore,
    keyMayChange: moving,
    transformCheck: new TransformCheck(),
    address: session.address,
  };
}

/** Where rows are changed one by one, each must have a key of its own. */
export function assertUnique(table: Table, { columns, unique }: Keyset): void {
  if (unique) return;
  const names = columns.map((column) => column.name).join(", ");
  throw new PawlError(
    "postgres.key-not-unique",
    `The key (${names}) of ${table.label} has no unique index without nulls, so that an item could mean several rows: name such a key with \`key\`.`,
  );
}

/** The columns that `set` changes, none of which may be of the key by which rows are found. */
function changedColumns(
  table: Table,
  keyset: Keyset,
  set: Readonly<Record<string, string>>,
): GivenExpression[] {
  const given = givenExpressions(table, set, { identity: false });
  const moved = given.find(({ column }) => keyset.columns.some((key) => key.name === column.name));
  if (moved === undefined) return given;
  throw new PawlError(
    "postgres.set-key",
    `\`set\` cannot change ${moved.column.name}, by whose values ${table.label} is read: a row that moves could be met twice; name another unique key with \`key\`.`,
  );
}

/** Says which right is missing before the first row would. */
async function checkRights(
  session: PostgresSession,
  change: ChangeTarget["change"],
  table: Table,
  set: readonly GivenExpression[],
): Promise<void> {
  const missing: string[] = [];
  if (!table.maySelect) missing.push("SELECT");
  if (change === "update" && !set.every(({ column }) => column.mayUpdate)) missing.push("UPDATE");
  if (change === "update" && set.length === 0 && !table.columns.some((column) => column.mayUpdate))
    missing.push("UPDATE");
  const { rows } = await session.query<{ name: string; may: boolean }>(
    "SELECT current_user::text AS name, pg_catalog.has_table_privilege($1::oid, 'DELETE') AS may",
    [table.oid],
  );
  const user = rows[0]?.name ?? "the user";
  if (change === "delete" && rows[0]?.may === false) missing.push("DELETE");
  if (missing.length === 0) return;
  throw new PawlError(
    "postgres.permission",
    `The user ${user} may not ${change} rows of ${table.label}: GRANT ${missing.join(", ")} ON ${table.label} TO ${user}.`,
  );
}

/**
 * Refuses a change after which rows have other keys than those by which the table is read: a row that moves could be met
 * twice, or never. Returns whether each change has to look itself, because what a trigger does cannot be told, or a key is
 * computed. Errors: `postgres.key-moves`.
 */
async function assertKeyStays(
  session: PostgresSession,
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
  const { columnsTriggeredByUpdate: triggered } = table;
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
    `Rows of ${table.label} cannot be read in the order of ${column}, for ${why} when they are changed: a row that moves could be met twice; name another unique key with \`key\`.`,
  );
}

/** Throws where rows have other keys after a change that is not committed. */
export function assertKeysStayed(table: Table, { columns }: Keyset, moved: number): void {
  if (moved === 0) return;
  const names = columns.map((column) => column.name).join(", ");
  throw new PawlError(
    "postgres.key-moves",
    `The change gives ${moved} rows of ${table.label} another key (${names}), by a trigger or because it is computed, so that they could be met twice: ` +
      "it was taken back, with the rest of its chunk, while chunks before it are done; name another unique key with `key`.",
  );
}
