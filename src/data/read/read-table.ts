import { assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { Frame } from "../frame/frame.ts";
import { type ColumnField, type FrameSchema, fieldsOf } from "../schema/column-type.ts";
import { columnsOfTable } from "./postgres-table.ts";

/**
 * The rows of a table or a view of PostgreSQL, all as they are at the moment when a result is asked for. Only the columns and rows that
 * the result needs leave the server, as far as it can be asked for them exactly; they are kept on disk while the frame runs.
 * `describeTable` tells the schema of a table.
 *
 * @param url `postgres://user:password@host:5432/database`, or `env:NAME` of a variable that holds it, which keeps passwords out of programs
 * @param table `table` or `schema.table`, in double quotes where a name has dots or capitals
 * @param schema the columns to read; `text()` takes any type as PostgreSQL writes it
 * @throws PawlError `data.schema` for what is not a schema; when it runs `data.column` and `data.types` where the table has other columns
 *
 * @example
 * ```ts
 * const orders = readTable("env:DATABASE_URL", "shop.orders", { id: int64(), total: decimal(10, 2), at: timestamptz() });
 * const large = orders.filter((c) => c.id.gt(1000));
 * ```
 */
export function readTable<const S extends FrameSchema>(url: string, table: string, schema: S): Frame<S> {
  assertText(url, "The URL of readTable()");
  assertText(table, "The table of readTable()");
  const fields = fieldsOf(schema, "readTable()");
  if (fields.length === 0) throw new PawlError("data.schema", "readTable() needs at least one column.");
  return new Frame({ kind: "table", url, table, fields });
}

/**
 * The columns of a table or a view of PostgreSQL, with the types that hold their values: `numeric` with a precision is a decimal and
 * without one text, arrays are lists, and types without a counterpart are text as PostgreSQL writes it.
 *
 * @param url as `readTable` takes it
 * @param table as `readTable` takes it
 * @throws PawlError `postgres.unknown-table` with names that are near, and what else keeps a table from being read
 *
 * @example
 * ```ts
 * for (const { name, type } of await describeTable("env:DATABASE_URL", "orders")) console.log(name, type.kind);
 * ```
 */
export async function describeTable(url: string, table: string): Promise<readonly ColumnField[]> {
  assertText(url, "The URL of describeTable()");
  assertText(table, "The table of describeTable()");
  return await columnsOfTable(url, table);
}
