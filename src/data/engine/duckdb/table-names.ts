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
  const result = await connection.run("SELECT json_serialize_sql(CAST($1 AS VARCHAR))", [sql]);
  const [[text] = []] = await result.getRows();
  const parsed = JSON.parse(String(text)) as Parsed;
  if (parsed.error) throw mistake(parsed, sql);
  if (parsed.statements.length !== 1)
    throw new PawlError(
      "data.sql",
      `A query is one SELECT, and this text holds ${parsed.statements.length}.`,
    );
  const read = new Set<string>();
  const defined = new Set<string>();
  // A query may be nested more deeply than the stack of a program.
  const waiting: unknown[] = [...parsed.statements];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (typeof next !== "object" || next === null) continue;
    const node = next as Readonly<Record<string, unknown>>;
    if (node.type === "BASE_TABLE" && typeof node.table_name === "string" && node.schema_name === "")
      read.add(node.table_name);
    const { cte_map: ctes } = node as {
      readonly cte_map?: { readonly map?: readonly { readonly key: string }[] };
    };
    for (const { key } of ctes?.map ?? []) defined.add(key.toLowerCase());
    waiting.unshift(...Object.values(node));
  }
  return [...read].filter((name) => !defined.has(name.toLowerCase()));
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
