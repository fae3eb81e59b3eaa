import { PawlError } from "../../../errors.ts";
import { type Column, findColumn, type Table, withoutKey } from "../catalog.ts";
import { comparison } from "../comparison.ts";
import { quoteName } from "../identifier.ts";
import type { PostgresSession } from "../session.ts";

/** The columns in whose order a table is read, and which tell where one has come to. */
export interface Keyset {
  readonly columns: readonly Column[];
  /** No two rows have the same values. */
  readonly unique: boolean;
  /** An index gives the rows in this order. */
  readonly indexed: boolean;
}

/** The values of a key as PostgreSQL writes them: exact for every type, and fit to be stored. */
export type KeyTexts = readonly string[];

/** Chooses the key: the one asked for, otherwise the primary key, otherwise a unique one without nulls. */
export async function chooseKeyset(
  session: PostgresSession,
  table: Table,
  asked: readonly string[] | undefined,
): Promise<Keyset> {
  const columns =
    asked !== undefined && asked.length > 0
      ? asked.map((name) => findColumn(table, name, "postgres.key-unknown", "`key`"))
      : ownKey(table);
  const names = new Set(columns.map((column) => column.name));
  if (names.size < columns.length) {
    throw new PawlError(
      "postgres.key-twice",
      `\`key\` names a column of ${table.label} twice: name each once.`,
    );
  }
  const unique = table.keys.some(
    (key) =>
      key.columns.every((name) => names.has(name)) &&
      key.columns.every((name) => columns.find((column) => column.name === name)?.notNull),
  );
  return { columns, unique, indexed: await hasIndex(session, table, columns) };
}

function ownKey(table: Table): Column[] {
  const candidates = table.keys.map((key) =>
    key.columns.map((name) => findColumn(table, name, "postgres.key-unknown", "key")),
  );
  const found = candidates.find((columns) => columns.every((column) => column.notNull));
  if (found !== undefined) return found;
  throw new PawlError(
    "postgres.no-key",
    `${withoutKey(table)} to go through it by: name the columns of a unique index with \`key\`, or create one.`,
  );
}

/** Whether a B-tree begins with these columns, in this order, by their own collations, and holds all rows. */
async function hasIndex(
  session: PostgresSession,
  table: Table,
  columns: readonly Column[],
): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_index i
       JOIN pg_class c ON c.oid = i.indexrelid
       JOIN pg_am am ON am.oid = c.relam
       WHERE i.indrelid = $1 AND am.amname = 'btree' AND i.indisvalid AND i.indpred IS NULL
         AND i.indnkeyatts >= pg_catalog.cardinality($2::text[])
         AND NOT EXISTS (
           SELECT FROM pg_catalog.unnest($2::text[]) WITH ORDINALITY k(name, position)
           LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = k.name
           WHERE (i.indkey::int2[])[k.position - 1] <> a.attnum
              OR (i.indcollation::oid[])[k.position - 1] <> a.attcollation
              OR NOT (SELECT o.opcdefault FROM pg_opclass o WHERE o.oid = (i.indclass::oid[])[k.position - 1])
              OR (i.indoption::int2[])[k.position - 1] & 1::int2 <> (i.indoption::int2[])[0] & 1::int2)) AS found`,
    [table.oid, columns.map((column) => column.name)],
  );
  return rows[0]?.found ?? false;
}

/** What to say where no index leads through the table; null where one does. */
export function indexHint(table: Table, { columns, indexed }: Keyset): string | null {
  if (indexed) return null;
  const names = columns.map((column) => quoteName(column.name)).join(", ");
  return (
    `${table.label} has no index on (${names}), so each chunk has to look through the whole table: ` +
    `CREATE INDEX CONCURRENTLY ON ${table.sql} (${names}) makes it fast.`
  );
}

/** A column of the table where another relation may have one of the same name. */
export function ofTable(table: Table, column: Column): string {
  return `${table.sql}.${quoteName(column.name)}`;
}

/** The condition for the rows after `from` and up to `to`, with its parameters appended to `values`. */
export function between(
  table: Table,
  { columns }: Keyset,
  from: KeyTexts | null,
  to: KeyTexts | null,
  values: unknown[],
): string {
  const row = (parts: readonly string[]) => (parts.length === 1 ? parts[0] : `(${parts.join(", ")})`);
  const key = row(columns.map((column) => ofTable(table, column)));
  const bound = (texts: KeyTexts) =>
    row(
      columns.map((column, at) => {
        values.push(texts[at]);
        return `$${values.length}::${column.looseType}`;
      }),
    );
  const parts: string[] = [];
  if (from !== null) parts.push(`${key} ${comparison(">", columns)} ${bound(from)}`);
  if (to !== null) parts.push(`${key} ${comparison("<=", columns)} ${bound(to)}`);
  return parts.length === 0 ? "true" : parts.join(" AND ");
}

/** The condition for the row with this key, with its parameters appended to `values`. */
export function equal(table: Table, { columns }: Keyset, key: KeyTexts, values: unknown[]): string {
  return columns
    .map((column, at) => {
      values.push(key[at]);
      return `${ofTable(table, column)} ${comparison("=", [column])} $${values.length}::${column.looseType}`;
    })
    .join(" AND ");
}

/** The user's condition, so that a comment at its end swallows nothing of ours. */
export function filterSql(where: string | undefined): string {
  return where === undefined || where.trim() === "" ? "" : ` AND (${where}\n)`;
}
