import type pg from "pg";
import { assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { oneLine, sqlState } from "../../postgres-errors.ts";
import { publicUrl } from "../../postgres-url.ts";
import { explain } from "./errors.ts";
import { PostgresSession } from "./session.ts";
import { exactTypes } from "./values.ts";

/** The rows that a statement returned. */
export interface SqlResult {
  /** The names of the columns, in their order. */
  readonly columns: readonly string[];
  /**
   * By column name. Booleans, `int2`, `int4`, floats, JSON and bytes come as JavaScript's own; what that cannot hold
   * exactly (`bigint`, `numeric`, dates and times …) as the text that PostgreSQL writes.
   */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** The result of a statement as PostgreSQL writes it. */
export interface SqlTexts {
  readonly columns: readonly {
    readonly name: string;
    /** What the text is to JSON: JSON already, `t` or `f`, or a string. */
    readonly type: "json" | "boolean" | "text";
  }[];
  /** In the order of the columns; null for null. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Runs one statement and gives its rows, all of them at once.
 *
 * @param url `postgres://user:password@host:5432/database`
 * @throws PawlError `argument.text`; `postgres.url`, `postgres.unreachable` or `postgres.password` where the server cannot be used, and
 * `postgres.` with the SQLSTATE, such as `postgres.42P01`, where it refuses the statement
 * @example
 * ```ts
 * const { rows } = await runSql(url, "SELECT count(*)::int4 AS n FROM people"); // [{ n: 3 }]
 * ```
 */
export async function runSql(url: string, sql: string): Promise<SqlResult> {
  const { fields, rows } = await ask(url, sql, exactTypes);
  const columns = fields.map((field) => field.name);
  return {
    columns,
    rows: rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]]))),
  };
}

const asTexts = { getTypeParser: () => (text: string) => text } as pg.CustomTypesConfig;
/** `int2`, `int4`, `oid`, floats, `json` and `jsonb`, by their numbers in `pg_type.dat`; a 64-bit number is too large for many readers of JSON. */
const jsonTypes = new Set([21, 23, 26, 114, 700, 701, 3802]);
const bool = 16;

/** The same, with each value as the text that PostgreSQL writes. */
export async function runSqlTexts(url: string, sql: string): Promise<SqlTexts> {
  const { fields, rows } = await ask(url, sql, asTexts);
  return {
    columns: fields.map(({ name, dataTypeID }) => ({ name, type: typeOf(dataTypeID) })),
    rows: rows as (string | null)[][],
  };
}

async function ask(url: string, sql: string, types: pg.CustomTypesConfig): Promise<pg.QueryArrayResult> {
  assertText(url, "The URL of a database");
  assertText(sql, "What runSql is to run");
  const session = await PostgresSession.open(url, "pawl");
  try {
    return await session.arrays(sql, [], types);
  } catch (error) {
    throw refused(error, url);
  } finally {
    await session.close();
  }
}

/** What is wrong with a statement that a person has typed. */
function refused(error: unknown, url: string): Error {
  const code = sqlState(error);
  const text = error instanceof Error ? oneLine(error.message) : "";
  if (/cannot insert multiple commands into a prepared statement/.test(text))
    return new PawlError(
      "postgres.42601",
      "Only one statement is run at a time: give the others in commands of their own, or make one of them with WITH.",
      { cause: error },
    );
  if (code === "42P01" || code === "25006")
    return new PawlError(`postgres.${code}`, `${publicUrl(url)} refused: ${text}.`, { cause: error });
  return explain(error, url);
}

function typeOf(oid: number): SqlTexts["columns"][number]["type"] {
  if (oid === bool) return "boolean";
  return jsonTypes.has(oid) ? "json" : "text";
}
