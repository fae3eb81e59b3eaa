import type { DuckDBType } from "@duckdb/node-api";
import * as types from "../../schema/column-type.ts";
import { type ColumnField, ColumnType, decimal, list } from "../../schema/column-type.ts";

/** The column types of DuckDB's own, by its name for them. */
const NAMED: ReadonlyMap<string, () => ColumnType> = new Map<string, () => ColumnType>([
  ["BOOLEAN", types.bool],
  ["TINYINT", types.int8],
  ["SMALLINT", types.int16],
  ["INTEGER", types.int32],
  ["BIGINT", types.int64],
  ["UTINYINT", types.uint8],
  ["USMALLINT", types.uint16],
  ["UINTEGER", types.uint32],
  ["UBIGINT", types.uint64],
  ["FLOAT", types.float32],
  ["DOUBLE", types.float64],
  ["VARCHAR", types.text],
  ["BLOB", types.bytes],
  ["DATE", types.date],
  ["TIME", types.time],
  ["TIMESTAMP", types.timestamp],
  ["TIMESTAMP_S", types.timestamp],
  ["TIMESTAMP_MS", types.timestamp],
  ["TIMESTAMP_NS", types.timestamp],
  ["TIMESTAMP WITH TIME ZONE", types.timestamptz],
  ["UUID", types.uuid],
  // Sums of whole numbers have it; its values fit, or the query fails and names the one that does not.
  ["HUGEINT", types.int64],
  ["UHUGEINT", types.uint64],
]);

/**
 * The type of a column that a query gives: any of DuckDB may be null. What has no type of its own here, such as an interval, is its text.
 */
function columnTypeOf(type: DuckDBType): ColumnType {
  return notNullTypeOf(type).nullable();
}

function notNullTypeOf(type: DuckDBType): ColumnType {
  const { alias } = type as { readonly alias?: string };
  if (alias === "JSON") return types.json();
  if ("scale" in type && "width" in type) return decimal(type.width, type.scale);
  if ("entryNames" in type && "entryTypes" in type) {
    const { entryNames, entryTypes } = type as {
      readonly entryNames: readonly string[];
      readonly entryTypes: readonly DuckDBType[];
    };
    const fields = entryNames.map((name, index) => ({
      name,
      type: columnTypeOf(entryTypes[index] as DuckDBType),
    }));
    return new ColumnType("struct", false, { fields });
  }
  // A list, and an array, which is a list of one length.
  if ("valueType" in type && !("keyType" in type)) return list(columnTypeOf(type.valueType));
  return (NAMED.get(type.toString()) ?? types.text)();
}

/** The columns of a result; of several with one name, all but the first get a number. */
export function resultFields(names: readonly string[], given: readonly DuckDBType[]): readonly ColumnField[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name, index) => {
    let unique = name;
    for (let number = 2; seen.has(unique); number++) {
      unique = `${name}_${number}`;
      if (taken.has(unique)) unique = name;
    }
    seen.add(unique);
    return { name: unique, type: columnTypeOf(given[index] as DuckDBType) };
  });
}
