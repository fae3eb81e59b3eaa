import type { DeclaredColumn, SinkContext } from "../../../../batch/contract.ts";
import { PawlError } from "../../../../errors.ts";
import { findTable, matchColumn, refuseRules, type Table, unknownTable } from "../../catalog.ts";
import { quoteName } from "../../identifier.ts";
import { optionText } from "../../option-text.ts";
import type { OnConflict, PostgresOptions } from "../../options.ts";
import type { PostgresSession } from "../../session.ts";
import { hasCheckpoints } from "../checkpoint-table.ts";
import {
  type Assignment,
  assertExpression,
  checkExpressions,
  type ExpressionUse,
  givenExpressions,
  namesFor,
} from "../expressions.ts";
import { type Created, createTable } from "./create-table.ts";
import { chooseKey, type Key } from "./key.ts";

/** What stays the same for a whole load. */
export interface LoadTarget {
  readonly table: Table;
  readonly mode: OnConflict;
  readonly key: Key | null;
  /** A trigger may give the key another value: only the server can tell which rows have the same one. */
  readonly keyComputed: boolean;
  readonly map: ReadonlyMap<string, string>;
  readonly assignments: readonly Assignment[];
  /** The condition under which a row that is there is changed; null for always. */
  readonly updateIf: string | null;
  /** Where the keys that came are kept, as SQL; null where they need not be. */
  readonly seen: string | null;
  /** What the source is called, for sentences. */
  readonly source: string;
  /** Names in the source whose values are any JSON, also texts: a text there is not JSON's own form of it. */
  readonly json: ReadonlySet<string>;
}

/** Looks at the table and at the options; throws one sentence where they do not fit. Needs a transaction. */
export async function loadTarget(
  session: PostgresSession,
  options: PostgresOptions,
  context: SinkContext,
  names: readonly string[] | null,
): Promise<{ readonly target: LoadTarget; readonly created: Created | null }> {
  const { table, created } = await findOrCreate(session, options, context, names);
  const source = context.transformed ? `the items made from ${context.source.name}` : context.source.name;
  const map = new Map(Object.entries(options.map ?? {}));
  for (const name of map.keys()) {
    if (names === null || context.transformed || names.includes(name)) continue;
    throw new PawlError(
      "postgres.map",
      `${source} has no column "${name}" (\`map: { ${optionText(name)}: ${optionText(map.get(name) ?? "")} }\`): its columns are ${names.join(", ")}.`,
    );
  }
  const given = givenExpressions(table, options.set ?? {}, { identity: true });
  const use = insertUse(table, options.set ?? {}, names ?? [], map);
  const assignments = await checkExpressions(session, given, use);
  const brought = names === null ? null : new Set(assignments.map((each) => each.column.name));
  for (const name of names ?? []) {
    const column = matchColumn(table, map.get(name) ?? name);
    if (column !== null) brought?.add(column.name);
  }
  const append = options.append === true || (await takesAll(session, options, table, created, context.run));
  const mode = options.onConflict ?? (append ? "fail" : "update");
  const updateIf = await checkUpdateIf(session, table, options.updateIf);
  const draft: LoadTarget = {
    table,
    mode,
    key: null,
    keyComputed: false,
    map,
    assignments,
    updateIf,
    seen: null,
    source,
    json: new Set(
      [...declaredOf(context)].filter(([, { type }]) => /^jsonb?$/.test(type)).map(([name]) => name),
    ),
  };
  if (names !== null) checkSomeMatch(draft, names);
  const key = append ? null : chooseKey(table, options.key, mode, brought, source);
  refuseRules(table, "INSERT", ...(mode === "fail" || key === null ? [] : (["ON CONFLICT"] as const)));
  const { triggeredColumns: triggered } = table;
  const keyComputed =
    key !== null && (triggered === null || key.columns.some((column) => triggered.includes(column.name)));
  return { target: { ...draft, key, keyComputed }, created };
}

async function findOrCreate(
  session: PostgresSession,
  options: PostgresOptions,
  context: SinkContext,
  names: readonly string[] | null,
): Promise<{ table: Table; created: Created | null }> {
  const there = await findTable(session, options.table);
  if (there !== null) return { table: there, created: null };
  if (!options.create) throw await unknownTable(session, options.table);
  const created = await createTable(session, options, names, {
    sample: await context.sample(),
    declared: declaredOf(context),
  });
  const table = await findTable(session, options.table);
  if (table === null) {
    throw new PawlError(
      "postgres.create",
      `${options.table} was created but is not found: write it with its schema, such as public.${options.table}.`,
    );
  }
  return { table, created };
}

/** What the source declares of its columns, by their names; nothing where a transform makes others of its items. */
function declaredOf({ source, transformed }: SinkContext): ReadonlyMap<string, DeclaredColumn> {
  const { columns, declared } = source;
  if (transformed || columns === null || declared === undefined) return new Map();
  return new Map(
    columns.flatMap((name, index) => (declared[index] ? [[name, declared[index]] as const] : [])),
  );
}

/** The names that go to no column although none was left out, when not one finds a column: the wrong file or table. */
function checkSomeMatch(target: LoadTarget, names: readonly string[]): void {
  const { table, source, map } = target;
  if (names.some((name) => map.has(name) || matchColumn(table, name) !== null)) return;
  throw new PawlError(
    "postgres.no-match",
    `None of the columns of ${source} (${names.join(", ")}) is in ${table.label} ` +
      `(${table.columns.map((column) => column.name).join(", ")}): check the table, or whether the file has a header.`,
  );
}

/**
 * Whether the table was made for this run without a key, so that it takes every row: just now, or before the run was
 * interrupted. Another table must say what identifies a row.
 */
async function takesAll(
  session: PostgresSession,
  { create, key, onConflict }: PostgresOptions,
  table: Table,
  created: Created | null,
  run: string,
): Promise<boolean> {
  if (!create || key !== undefined || onConflict !== undefined || table.keys.some(({ primary }) => primary))
    return false;
  return created !== null || (await isEmpty(session, table)) || (await hasCheckpoints(session, run));
}

/** The expressions of `set` of a load: they may use what the source brings, and the values go into new rows. */
function insertUse(
  table: Table,
  set: Readonly<Record<string, string>>,
  names: readonly string[],
  map: ReadonlyMap<string, string>,
): ExpressionUse {
  const types = names.map((source) => {
    const typed = matchColumn(table, map.get(source) ?? source);
    // A value that the expression replaces does not reach the table, so it is a text like all that are left out.
    const replaced = typed === null || Object.hasOwn(set, typed.name) || Object.hasOwn(set, source);
    return { source, type: replaced ? "text" : typed.type };
  });
  return {
    row: ({ expression }) => {
      const inSql = namesFor([expression], names);
      const columns = types.flatMap(({ source, type }) =>
        inSql(source).map((as) => `NULL::${type} AS ${as}`),
      );
      return `(SELECT ${columns.join(", ")}) s`;
    },
    statement: ({ column, expression }, row) =>
      `INSERT INTO ${table.sql} (${quoteName(column.name)}) OVERRIDING SYSTEM VALUE SELECT (${expression}\n) FROM ${row}`,
    advice: `it may use the columns ${names.join(", ")}`,
  };
}

async function checkUpdateIf(
  session: PostgresSession,
  table: Table,
  condition?: string,
): Promise<string | null> {
  if (condition === undefined) return null;
  const row = `${table.sql}, ${table.sql} AS excluded`;
  await assertExpression(session, condition, {
    row,
    statement: `SELECT FROM ${row} WHERE (${condition}\n)`,
    code: "postgres.update-if",
    what: `The condition \`updateIf: ${optionText(condition)}\``,
    advice: `excluded.column is the new value, ${table.name}.column the one in the table`,
  });
  return condition;
}

/** Whether the table has no rows, as far as that may be asked. */
export async function isEmpty(session: PostgresSession, table: Table): Promise<boolean> {
  if (!table.maySelect) return false;
  const { rows } = await session.query<{ empty: boolean }>(
    `SELECT NOT EXISTS (SELECT FROM ${table.sql}) AS empty`,
  );
  return rows[0]?.empty ?? false;
}
