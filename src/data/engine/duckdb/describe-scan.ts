import type { CsvFormat, FileScan } from "../../plan/node.ts";
import { type ColumnField, text } from "../../schema/column-type.ts";
import type { DuckDBQuery } from "./query.ts";
import { quoteName, quoteText } from "./quote.ts";

/** Rows of each file by which the types of a CSV or JSONL file are told. A value behind them that does not fit fails the query that meets it. */
const SAMPLE_ROWS = 100_000;

/** The columns of files, all nullable, as they themselves or their first rows tell. */
export async function describeScan(scan: FileScan, query: DuckDBQuery): Promise<readonly ColumnField[]> {
  const source = sourceSql(scan);
  const fields = await query.fields(`SELECT * FROM ${source}`);
  if (scan.format !== "csv") return fields;
  const numbers = fields.filter(({ type }) => type.kind === "int64");
  if (numbers.length === 0) return fields;
  // A postcode such as 01067 is no number: as one it would lose its zero in silence.
  const zeros = numbers.map(
    ({ name }, index) =>
      `coalesce(bool_or(regexp_matches(${quoteName(name)}, '^[+-]?0[0-9]')), false) AS c${index}`,
  );
  const [found = {}] = await query.run(
    `SELECT ${zeros.join(", ")} FROM (SELECT * FROM ${sourceSql(scan, { allText: true })} LIMIT ${SAMPLE_ROWS})`,
  );
  const padded = new Set(numbers.filter((_, index) => found[`c${index}`] === true).map(({ name }) => name));
  return fields.map((field) =>
    padded.has(field.name) ? { name: field.name, type: text().nullable() } : field,
  );
}

function sourceSql({ format, locations, csv }: FileScan, { allText = false } = {}): string {
  const files = `[${locations.map((path) => quoteText(escapedPath(path))).join(", ")}]`;
  if (format === "parquet") return `read_parquet(${files}, union_by_name = true, hive_partitioning = false)`;
  if (format === "jsonl")
    return `read_ndjson(${files}, sample_size = ${SAMPLE_ROWS}, union_by_name = true, hive_partitioning = false)`;
  const { delimiter, quote, escape: escaping, header } = csv as CsvFormat;
  const types = allText ? "all_varchar = true" : `sample_size = ${SAMPLE_ROWS}`;
  return `read_csv(${files}, ${types}, union_by_name = true, hive_partitioning = false, delim = ${quoteText(delimiter)}, quote = ${quoteText(quote)}, escape = ${quoteText(escaping)}, header = ${header})`;
}

/** A path in which nothing is a pattern. */
function escapedPath(path: string): string {
  return path.replace(/[*?[]/g, "[$&]");
}
