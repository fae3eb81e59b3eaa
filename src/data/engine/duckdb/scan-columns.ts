import { type ColumnType, isInteger, type Kind } from "../../schema/column-type.ts";
import { duckdbType } from "./types.ts";

/**
 * How the values of a column are read from a text file. DuckDB's own readers change some values in silence: 1.6 becomes the whole number 2,
 * decimals lose digits, a day loses its time, a moment its zone. So such a column is read as a type that keeps them (`read`), judged
 * (`fits`), and only then made what it is declared as (`value`).
 */
export interface ColumnReading {
  /** The type that DuckDB's reader makes of the text; what cannot be made it is refused by the reader. */
  readonly read: string;
  /** Whether a value that was read, and is not null, fits; null where all do. */
  readonly fits: ((sql: string) => string) | null;
  /** The declared value. */
  readonly value: (sql: string) => string;
}

const same = (sql: string): string => sql;

/** The smallest and the largest whole number of each kind whose values a float64 holds exactly. */
const RANGES: Partial<Readonly<Record<Kind, readonly [number, number]>>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 4_294_967_295],
};

/** How a column of a declared type is read from text. */
export function columnReading(type: ColumnType): ColumnReading {
  const name = duckdbType(type);
  const cast = (sql: string) => `CAST(${sql} AS ${name})`;
  const { kind } = type;
  const range = RANGES[kind];
  if (range !== undefined)
    return {
      read: "DOUBLE",
      fits: (x) => `(${x} = trunc(${x}) AND ${x} BETWEEN ${range[0]} AND ${range[1]})`,
      value: cast,
    };
  if (isInteger(kind))
    return {
      read: "VARCHAR",
      fits: (x) =>
        `(TRY_CAST(${x} AS ${name}) IS NOT NULL AND NOT contains(${x}, '.') AND NOT contains(lower(${x}), 'e'))`,
      value: cast,
    };
  if (kind === "decimal") {
    const { precision = 38, scale = 0 } = type;
    // Digits beyond the declared ones are kept to be seen.
    const more = Math.min(9, 38 - precision);
    return {
      read: `DECIMAL(${precision + more}, ${scale + more})`,
      fits: more === 0 ? null : (x) => `(${x} = TRY_CAST(${x} AS ${name}))`,
      value: cast,
    };
  }
  if (kind === "date")
    return { read: "TIMESTAMP", fits: (x) => `(date_trunc('day', ${x}) = ${x})`, value: cast };
  if (kind === "timestamp")
    return {
      read: "VARCHAR",
      fits: (x) =>
        `(TRY_CAST(${x} AS TIMESTAMP) IS NOT NULL AND NOT contains(${x}, '+') AND NOT contains(upper(${x}), 'Z') AND ${x} NOT LIKE '%:%-%')`,
      value: cast,
    };
  if (kind === "list" || kind === "struct") {
    const made = (x: string) => `TRY(CAST(CAST(${x} AS JSON) AS ${name}))`;
    return { read: "VARCHAR", fits: (x) => `(${made(x)} IS NOT NULL)`, value: made };
  }
  return { read: name, fits: null, value: same };
}

/** The reading of a column whose text stands in a column of texts: null where it cannot be read. */
export function textFits(x: string, type: ColumnType): string {
  const { read, fits } = columnReading(type);
  const made =
    read === "VARCHAR"
      ? x
      : read === "JSON"
        ? `CASE WHEN json_valid(${x}) THEN ${x} END`
        : `TRY_CAST(${x} AS ${read})`;
  const judged = fits === null ? `(${made}) IS NOT NULL` : `coalesce(${fits(made)}, false)`;
  return type.isNullable ? `(${x} IS NULL OR ${judged})` : `(${x} IS NOT NULL AND ${judged})`;
}

/** What JSON calls the values that each kind is made of. */
function jsonTypes(kind: Kind): readonly string[] {
  if (kind === "bool") return ["BOOLEAN"];
  if (kind === "int64" || kind === "uint64") return ["BIGINT", "UBIGINT", "VARCHAR"];
  if (isInteger(kind)) return ["BIGINT", "UBIGINT"];
  if (kind === "float32" || kind === "float64") return ["DOUBLE", "BIGINT", "UBIGINT", "VARCHAR"];
  if (kind === "decimal") return ["DOUBLE", "BIGINT", "UBIGINT", "VARCHAR"];
  if (kind === "list") return ["ARRAY"];
  if (kind === "struct") return ["OBJECT"];
  return ["VARCHAR"];
}

/** Whether a value of JSON fits: `kind` is what JSON calls it, `text` its text. */
export function jsonFits(jsonKind: string, text: string, type: ColumnType): string {
  const isNull = `(${jsonKind} IS NULL OR ${jsonKind} = 'NULL')`;
  const { kind } = type;
  if (kind === "json") return type.isNullable ? "true" : `(NOT ${isNull})`;
  const given = `${jsonKind} IN (${jsonTypes(kind)
    .map((name) => `'${name}'`)
    .join(", ")})`;
  const words =
    kind === "float32" || kind === "float64"
      ? ` AND (${jsonKind} <> 'VARCHAR' OR ${text} IN ('NaN', 'Infinity', '-Infinity'))`
      : "";
  const judged = `(${given}${words} AND ${textFits(text, type.notNull())})`;
  return type.isNullable ? `(${isNull} OR ${judged})` : `(NOT ${isNull} AND ${judged})`;
}

/** The declared value of a value of JSON that fits. */
export function jsonValue(jsonKind: string, text: string, raw: string, type: ColumnType): string {
  const isNull = `(${jsonKind} IS NULL OR ${jsonKind} = 'NULL')`;
  const name = duckdbType(type);
  if (type.kind === "json") return `CASE WHEN ${isNull} THEN NULL ELSE ${raw} END`;
  const { read, value } = columnReading(type);
  const made = read === "VARCHAR" ? text : `CAST(${text} AS ${read})`;
  return `CASE WHEN ${isNull} THEN CAST(NULL AS ${name}) ELSE ${value(made)} END`;
}
