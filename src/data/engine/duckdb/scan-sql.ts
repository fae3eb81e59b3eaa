import type { FileScan } from "../../plan/node.ts";
import type { ColumnField } from "../../schema/column-type.ts";
import { sqlName } from "./names.ts";
import { quoteName, quoteText } from "./quote.ts";
import { duckdbType } from "./types.ts";

/** The query that reads files: the columns of the scan under the names of `sqlNames`. */
export function scanSql(scan: FileScan): string {
  const { fields, fileColumn } = scan;
  const columns = fields.map(({ name }) => {
    const source = name === fileColumn ? "filename" : quoteName(name);
    return `${source} AS ${sqlName(name, fields)}`;
  });
  return `SELECT ${columns.join(", ")} FROM ${tableFunction(scan)}`;
}

const CSV = { delimiter: ",", quote: '"', escape: '"', header: true, nullText: "" };

function tableFunction({ format, locations, fields, csv, hive, fileColumn }: FileScan): string {
  const files = `[${locations.map(quoteText).join(", ")}]`;
  const other = new Set([...hive.map(({ name }) => name), ...(fileColumn === null ? [] : [fileColumn])]);
  const types = (list: readonly ColumnField[]) =>
    `{${list.map(({ name, type }) => `${quoteText(name)}: ${quoteText(duckdbType(type))}`).join(", ")}}`;
  const columns = types(fields.filter(({ name }) => !other.has(name)));
  const more = [
    ...(fileColumn === null ? [] : ["filename = true"]),
    ...(hive.length === 0 ? [] : ["hive_partitioning = true", `hive_types = ${types(hive)}`]),
  ];
  const options = more.length === 0 ? "" : `, ${more.join(", ")}`;
  if (format === "parquet") return `read_parquet(${files}, union_by_name = true${options})`;
  if (format === "jsonl") return `read_ndjson(${files}, columns = ${columns}${options})`;
  const { delimiter, quote, escape: escaping, header, nullText } = csv ?? CSV;
  return `read_csv(${files}, columns = ${columns}, auto_detect = false, delim = ${quoteText(delimiter)}, quote = ${quoteText(quote)}, escape = ${quoteText(escaping)}, header = ${header}, nullstr = [${[...new Set(["", nullText])].map(quoteText).join(", ")}]${options})`;
}
