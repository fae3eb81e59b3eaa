import type { DuckDBConnection } from "@duckdb/node-api";
import { withoutFullStop } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";

/** Characters of a query around the place of a mistake that its sentence shows. */
const SHOWN = 30;

/** What DuckDB's parser says of a text. */
type Parsed =
  | { readonly error: true; readonly error_message?: string; readonly position?: string }
  | { readonly error: false; readonly statements: readonly unknown[] };

/**
 * The names of the tables that a query reads and does not define itself, each once, in the order in which they stand there. Throws
 * PawlError("data.sql") where the text is not one SELECT.
 */
export async function tableNames(connection: DuckDBConnection, sql: string): Promise<readonly string[]> {
  const read = new Set<string>();
  const defined = new Set<string>();
  for (const node of await nodesOf(connection, sql)) {
    if (node.type === "BASE_TABLE" && typeof node.table_name === "string" && node.schema_name === "")
      read.add(node.table_name);
    const { cte_map: ctes } = node as {
      readonly cte_map?: { readonly map?: readonly { readonly key: string }[] };
    };
    for (const { key } of ctes?.map ?? []) defined.add(key.toLowerCase());
  }
  return [...read].filter((name) => !defined.has(name.toLowerCase()));
}

/** Parts of a query that mean columns without naming them: all of a table, or some by their places. */
const NAMELESS = new Set(["STAR", "POSITIONAL_REFERENCE", "PIVOT", "SHOW_REF", "NATURAL", "POSITIONAL"]);

/**
 * All names that a query mentions, in lower case: those of the columns that it reads are among them. Null where it means columns without
 * naming them, as `*` does. Throws PawlError("data.sql") where the text is not one SELECT.
 */
export async function mentionedNames(
  connection: DuckDBConnection,
  sql: string,
): Promise<ReadonlySet<string> | null> {
  const names = new Set<string>();
  const tables = new Set<string>();
  const alone = new Set<string>();
  for (const node of await nodesOf(connection, sql)) {
    if (NAMELESS.has(String(node.type)) || NAMELESS.has(String(node.ref_type))) return null;
    // A table whose columns are given other names has them by their places.
    if (Array.isArray(node.column_name_alias) && node.column_name_alias.length > 0) return null;
    if (node.type === "BASE_TABLE")
      for (const name of [node.table_name, node.alias]) tables.add(String(name ?? "").toLowerCase());
    const { column_names: parts, using_columns: using } = node;
    for (const list of [parts, using])
      if (Array.isArray(list)) for (const name of list) names.add(String(name).toLowerCase());
    if (Array.isArray(parts) && parts.length === 1) alone.add(String(parts[0]).toLowerCase());
  }
  // The name of a table in the place of a column means its whole row.
  return alone.isDisjointFrom(tables) ? names : null;
}

/** All objects in what DuckDB's parser makes of a query, those outside before those within. */
async function nodesOf(
  connection: DuckDBConnection,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const result = await connection.run("SELECT json_serialize_sql(CAST($1 AS VARCHAR))", [sql]);
  const [[text] = []] = await result.getRows();
  const parsed = JSON.parse(String(text)) as Parsed;
  if (parsed.error) throw mistake(parsed, sql);
  if (parsed.statements.length !== 1)
    throw new PawlError(
      "data.sql",
      `A query is one SELECT, and this text holds ${parsed.statements.length}.`,
    );
  const nodes: Readonly<Record<string, unknown>>[] = [];
  // A query may be nested more deeply than the stack of a program.
  const waiting: unknown[] = [...parsed.statements];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== "object" || next === null) continue;
    const node = next as Readonly<Record<string, unknown>>;
    nodes.push(node);
    waiting.push(...Object.values(node).reverse());
  }
  return nodes;
}

function mistake(
  { error_message: message = "it cannot be read", position }: Extract<Parsed, { error: true }>,
  sql: string,
): PawlError {
  // The parser says this of every statement that is not a query, also of one that would change something.
  if (/^Only SELECT/i.test(message))
    return new PawlError("data.sql", "A query is one SELECT: it reads files and changes nothing.");
  const at = Number(position);
  const near = Number.isSafeInteger(at) ? `, near ${JSON.stringify(sql.slice(at, at + SHOWN))}` : "";
  return new PawlError("data.sql", `The query cannot be read: ${withoutFullStop(message)}${near}.`);
}
