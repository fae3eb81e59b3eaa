import type { DeclaredColumn } from "../../../../batch/contract.ts";
import { PawlError } from "../../../../errors.ts";
import { own } from "../../../../own.ts";
import { splitName } from "../../catalog.ts";
import { quoteName } from "../../identifier.ts";
import { optionText } from "../../option-text.ts";
import type { PostgresOptions } from "../../options.ts";
import type { PostgresSession } from "../../session.ts";
import { assertExpression, namesFor } from "../expressions.ts";
import { inferType } from "./infer-type.ts";

export interface Created {
  /** The statement, for people. */
  readonly ddl: string;
  readonly key: readonly string[];
}

/** What tells the types of columns. */
interface KnownItems {
  /** The first items. */
  readonly sample: readonly unknown[];
  /** What the source says of its columns, by name; of other columns the sample tells. */
  readonly declared: ReadonlyMap<string, DeclaredColumn>;
}

/** A type as sources declare it. */
const DECLARED = /^[a-z][a-z ]*(\(\d+(,\d+)?\))?(\[\])*$/;

/** PostgreSQL cuts longer names silently. */
const longestName = 63;

/**
 * Creates the table with the types that the source declares, or that a sample shows. Its primary key is the one asked for, otherwise a column
 * `id` that is never empty and never the same twice in the sample, otherwise none.
 */
export async function createTable(
  session: PostgresSession,
  options: PostgresOptions,
  names: readonly string[] | null,
  { sample, declared }: KnownItems,
): Promise<Created> {
  const rows = sample as readonly Record<string, unknown>[];
  const all = names ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const columns = all.flatMap((name) => {
    const column = own(options.map ?? {}, name) ?? name;
    return column === "" || column === "-" ? [] : [{ name, column }];
  });
  if (columns.length === 0) {
    throw new PawlError(
      "postgres.create-empty",
      `Nothing tells the columns of ${options.table}: give at least one row.`,
    );
  }
  for (const { column } of columns) checkName(column, options.table);
  const declarations = columns.map(({ name, column }) => {
    return `${quoteName(column)} ${declaredType(declared.get(name)) ?? inferType(rows.map((row) => own(row, name)))}`;
  });
  for (const [column, expression] of Object.entries(options.set ?? {})) {
    if (columns.some((each) => each.column === column)) continue;
    declarations.push(`${quoteName(column)} ${await typeOfExpression(session, column, expression, all)}`);
  }
  const key = options.key ?? defaultKey(columns, rows);
  if (key.length > 0) declarations.push(`PRIMARY KEY (${key.map(quoteName).join(", ")})`);
  const table = splitName(options.table).map(({ text, quoted }) =>
    quoteName(quoted ? text : text.toLowerCase()),
  );
  const ddl = `CREATE TABLE IF NOT EXISTS ${table.join(".")} (\n  ${declarations.join(",\n  ")}\n)`;
  await session.run(ddl);
  return { ddl, key };
}

function declaredType(declared: DeclaredColumn | undefined): string | null {
  if (declared === undefined) return null;
  if (!DECLARED.test(declared.type)) throw new Error(`${declared.type} is not a type`);
  return declared.nullable ? declared.type : `${declared.type} NOT NULL`;
}

function defaultKey(
  columns: readonly { name: string; column: string }[],
  rows: readonly Record<string, unknown>[],
): string[] {
  const id = columns.find(({ column }) => column.toLowerCase() === "id");
  if (id === undefined || rows.length === 0) return [];
  const values = rows.map((row) => own(row, id.name));
  const distinct = new Set(values).size === values.length;
  return distinct && values.every((value) => value !== null && value !== undefined && value !== "")
    ? [id.column]
    : [];
}

/** Lets the server tell the type, with every value of the source a text. */
async function typeOfExpression(
  session: PostgresSession,
  column: string,
  expression: string,
  names: readonly string[],
): Promise<string> {
  const inSql = namesFor([expression], names);
  const columns = names.flatMap((name) => inSql(name).map((as) => `NULL::text AS ${as}`));
  const row = `(SELECT ${columns.join(", ")}) s`;
  await assertExpression(session, expression, {
    row,
    statement: `SELECT (${expression}\n) FROM ${row}`,
    code: "postgres.set",
    what: `The expression of \`set: { ${optionText(column)}: ${optionText(expression)} }\``,
    advice: "here every column of the source is a text",
  });
  const probe = await session.query(`SELECT (${expression}\n) FROM ${row} LIMIT 0`);
  const { rows } = await session.query<{ type: string }>(
    "SELECT pg_catalog.format_type($1::oid, -1) AS type",
    [probe.fields[0]?.dataTypeID],
  );
  return rows[0]?.type ?? "text";
}

function checkName(name: string, table: string): void {
  if (name.trim() !== "" && Buffer.byteLength(name) <= longestName) return;
  throw new PawlError(
    "postgres.create-name",
    `"${name.slice(0, 80)}" cannot be the name of a column of ${table}: give it another with \`map: { "csv": "col" }\`.`,
  );
}
