import { own } from "../../../own.ts";
import type { CsvFormat, FileScan } from "../../plan/node.ts";
import { type ColumnField, type ColumnType, text, timestamptz } from "../../schema/column-type.ts";
import type { DuckDBQuery } from "./query.ts";
import { quoteName, quoteText } from "./quote.ts";

/** Rows of each file by which the types of a CSV or JSONL file are told. A value behind them that does not fit fails the query that meets it. */
const SAMPLE_ROWS = 100_000;

/** The columns of files, all nullable, as they themselves or their first rows tell. */
export async function describeScan(scan: FileScan, query: DuckDBQuery): Promise<readonly ColumnField[]> {
  const source = sourceSql(scan);
  const fields = await query.fields(`SELECT * FROM ${source}`);
  if (scan.format === "parquet") return fields;
  const doubtful = fields.filter(({ type }) => type.kind === "int64" || type.kind === "timestamp");
  if (doubtful.length === 0) return fields;
  const tests = doubtful.map(({ name, type }, index) => {
    const value = quoteName(name);
    // A postcode such as 01067 is not a number: as one it would lose its zero in silence.
    if (type.kind === "int64")
      return `coalesce(bool_or(regexp_matches(${value}, '^[+-]?0[0-9]')), false) AS c${index}`;
    // A moment with a zone is not one without.
    return `list(DISTINCT regexp_matches(${value}, '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')) FILTER (WHERE ${value} IS NOT NULL) AS c${index}`;
  });
  const [found = {}] = await query.run(
    `SELECT ${tests.join(", ")} FROM (SELECT * FROM ${sourceSql(scan, { asText: doubtful })} LIMIT ${SAMPLE_ROWS})`,
  );
  const better = new Map(
    doubtful.map(({ name, type }, index) => [name, told(type, own(found, `c${index}`))]),
  );
  return fields.map(({ name, type }) => ({ name, type: better.get(name) ?? type }));
}

/** The type of a column by what its texts look like. */
function told(type: ColumnType, looks: unknown): ColumnType {
  if (type.kind === "int64") return looks === true ? text().nullable() : type;
  const zones = Array.isArray(looks) ? looks : [];
  if (!zones.includes(true)) return type;
  return (zones.includes(false) ? text() : timestamptz()).nullable();
}

function sourceSql(
  { format, locations, csv }: FileScan,
  { asText = [] }: { readonly asText?: readonly ColumnField[] } = {},
): string {
  const files = `[${locations.map((path) => quoteText(escapedPath(path))).join(", ")}]`;
  if (format === "parquet") return `read_parquet(${files}, union_by_name = true, hive_partitioning = false)`;
  if (format === "jsonl" && asText.length > 0)
    return `read_ndjson(${files}, columns = {${asText.map(({ name }) => `${quoteText(name)}: 'VARCHAR'`).join(", ")}})`;
  if (format === "jsonl")
    return `read_ndjson(${files}, sample_size = ${SAMPLE_ROWS}, union_by_name = true, hive_partitioning = false)`;
  const { delimiter, quote, escape: escaping, header } = csv as CsvFormat;
  const types = asText.length > 0 ? "all_varchar = true" : `sample_size = ${SAMPLE_ROWS}`;
  return `read_csv(${files}, ${types}, union_by_name = true, hive_partitioning = false, delim = ${quoteText(delimiter)}, quote = ${quoteText(quote)}, escape = ${quoteText(escaping)}, header = ${header})`;
}

/** A path in which nothing is a pattern. */
function escapedPath(path: string): string {
  return path.replace(/[*?[]/g, "[$&]");
}
