import type { ColumnType, Kind } from "../../schema/column-type.ts";
import { quoteName } from "./quote.ts";

const NAMES: Readonly<Record<Exclude<Kind, "decimal" | "list" | "struct">, string>> = {
  bool: "BOOLEAN",
  int8: "TINYINT",
  int16: "SMALLINT",
  int32: "INTEGER",
  int64: "BIGINT",
  uint8: "UTINYINT",
  uint16: "USMALLINT",
  uint32: "UINTEGER",
  uint64: "UBIGINT",
  float32: "FLOAT",
  float64: "DOUBLE",
  text: "VARCHAR",
  bytes: "BLOB",
  date: "DATE",
  time: "TIME",
  timestamp: "TIMESTAMP",
  timestamptz: "TIMESTAMPTZ",
  uuid: "UUID",
  json: "JSON",
};

/** What DuckDB calls a type. */
export function duckdbType(type: ColumnType): string {
  const { kind } = type;
  if (kind === "decimal") return `DECIMAL(${type.precision ?? 38}, ${type.scale ?? 0})`;
  if (kind === "list") return `${type.of === undefined ? "VARCHAR" : duckdbType(type.of)}[]`;
  if (kind === "struct")
    return `STRUCT(${(type.fields ?? []).map((field) => `${quoteName(field.name)} ${duckdbType(field.type)}`).join(", ")})`;
  return NAMES[kind];
}
