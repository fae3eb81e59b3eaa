import { rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { quoted } from "../../../arguments.ts";
import { errorText } from "../../../error-text.ts";
import { PawlError } from "../../../errors.ts";
import type { PlanNode } from "../../plan/node.ts";
import type { ColumnField, ColumnType, Kind } from "../../schema/column-type.ts";
import type { WriteTarget, WrittenFiles } from "../contract.ts";
import { sqlName } from "./names.ts";
import { planSql } from "./plan-sql.ts";
import type { DuckDBQuery } from "./query.ts";
import { quoteName, quoteText } from "./quote.ts";

/** Files whose footers are read by one statement. */
const FOOTERS_AT_ONCE = 500;
/** A folder's name has at most 255 bytes; the rest is the column's. */
const LONGEST_VALUE = 180;

/** Kinds whose texts are values again: what a folder such as `year=2024` can say exactly. */
const PARTITION_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  "bool",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "decimal",
  "text",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "uuid",
]);

/**
 * Writes the rows of a plan into files, and counts them in what was written. Where it fails, nothing is left at the path. `again` gives the
 * plan with its files looked at once more.
 */
export async function writeFiles(
  query: DuckDBQuery,
  plan: PlanNode,
  target: WriteTarget,
  again: () => Promise<PlanNode>,
): Promise<WrittenFiles> {
  assertWritable(plan.fields, target);
  try {
    return await written(query, plan, target, false).catch(async (error) => {
      const isTooMuch = error instanceof PawlError && error.code === "data.memory";
      if (!isTooMuch || target.partitionBy.length === 0) throw error;
      // Rows of many partitions at once take memory for each of them; in the order of the partitions they are written one by one.
      await rm(target.path, { recursive: true, force: true });
      return await written(query, await again(), target, true);
    });
  } catch (error) {
    await rm(target.path, { recursive: true, force: true });
    throw refusal(error, target);
  }
}

/** The statement that writes a plan's rows, for `explain()` and tests. */
function copySql(plan: PlanNode, target: WriteTarget, ordered: boolean): string {
  const { fields } = plan;
  const columns = fields.map(({ name, type }) => {
    const column = `t.${sqlName(name, fields)}`;
    return `${valueSql(column, name, type, target)} AS ${quoteName(name)}`;
  });
  const order = ordered
    ? ` ORDER BY ${target.partitionBy.map((name) => `t.${sqlName(name, fields)}`).join(", ")}`
    : "";
  return `COPY (SELECT ${columns.join(", ")} FROM (${planSql(plan)}) AS t${order}) TO ${quoteText(target.path)} (${optionsSql(target).join(", ")})`;
}

function optionsSql({
  format,
  partitionBy,
  compression,
  rowGroup,
  groupsPerFile,
  fileName,
  csv,
}: WriteTarget): string[] {
  if (format === "csv") {
    const { delimiter, header, nullText } = csv ?? { delimiter: ",", header: true, nullText: "" };
    return [
      "FORMAT csv",
      `DELIMITER ${quoteText(delimiter)}`,
      `QUOTE '"'`,
      `ESCAPE '"'`,
      `HEADER ${header}`,
      `NULLSTR ${quoteText(nullText)}`,
      `COMPRESSION ${compression}`,
    ];
  }
  if (format === "jsonl") return ["FORMAT json", `COMPRESSION ${compression}`];
  return [
    "FORMAT parquet",
    `COMPRESSION ${compression === "none" ? "uncompressed" : compression}`,
    "RETURN_STATS",
    ...(rowGroup === null ? [] : [`ROW_GROUP_SIZE ${rowGroup}`]),
    ...(groupsPerFile === null || groupsPerFile === undefined
      ? []
      : [`ROW_GROUPS_PER_FILE ${groupsPerFile}`]),
    ...(partitionBy.length === 0 ? [] : [`PARTITION_BY (${partitionBy.map(quoteName).join(", ")})`]),
    ...(fileName === undefined ? [] : [`FILENAME_PATTERN ${quoteText(`${fileName}-{i}`)}`]),
  ];
}

async function written(
  query: DuckDBQuery,
  plan: PlanNode,
  target: WriteTarget,
  ordered: boolean,
): Promise<WrittenFiles> {
  const result = await query.runCounted(copySql(plan, target, ordered));
  if (target.format !== "parquet") {
    const rows = Number(result[0]?.Count);
    if (!Number.isSafeInteger(rows)) throw new Error(`DuckDB wrote ${String(result[0]?.Count)} rows`);
    return { rows, files: [{ path: target.path, rows, bytes: (await stat(target.path)).size }] };
  }
  const files = result.map((row) => ({
    path: String(row.filename),
    rows: Number(row.count),
    bytes: Number(row.file_size_bytes),
  }));
  await assertFooters(query, files);
  const below = (path: string) => (path === target.path ? path : relative(target.path, path));
  return {
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    files: files.map((file) => ({ ...file, path: below(file.path) })),
  };
}

/** The rows that the files say they hold are those that DuckDB says it has written: a file that was written twice, or in part, shows here. */
async function assertFooters(
  query: DuckDBQuery,
  files: readonly { readonly path: string; readonly rows: number }[],
): Promise<void> {
  const counted = new Map<string, number>();
  for (let at = 0; at < files.length; at += FOOTERS_AT_ONCE) {
    const paths = files.slice(at, at + FOOTERS_AT_ONCE).map(({ path }) => quoteText(globbed(path)));
    const footers = await query.run(
      `SELECT file_name, num_rows FROM parquet_file_metadata([${paths.join(", ")}])`,
    );
    for (const { file_name, num_rows } of footers) counted.set(String(file_name), Number(num_rows));
  }
  const expected = new Map<string, number>();
  for (const { path, rows } of files) expected.set(path, (expected.get(path) ?? 0) + rows);
  for (const [path, rows] of expected)
    if (counted.get(path) !== rows)
      throw new PawlError(
        "data.short",
        `DuckDB says that it wrote ${rows} rows into ${path}, and the file says ${counted.get(path) ?? "nothing"}: nothing was published. Run it again.`,
      );
}

/** A path that means itself where patterns are taken. */
function globbed(path: string): string {
  return path.replaceAll(/[*?[]/g, "[$&]");
}

/** What cannot be written as it is, before anything runs. */
function assertWritable(fields: readonly ColumnField[], { partitionBy }: WriteTarget): void {
  if (fields.length === 0) throw new PawlError("data.write", "A file needs at least one column.");
  const seen = new Map<string, string>();
  for (const { name } of fields) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined)
      throw new PawlError(
        "data.write",
        `The columns ${quoted(other)} and ${quoted(name)} differ only in capitals, which most readers of such files do not tell apart: rename one.`,
      );
    seen.set(name.toLowerCase(), name);
  }
  for (const name of partitionBy) {
    const field = fields.find((each) => each.name === name);
    if (field === undefined)
      throw new PawlError("data.column", `There is no column ${quoted(name)} to partition by.`);
    if (!PARTITION_KINDS.has(field.type.kind))
      throw new PawlError(
        "data.partition",
        `The column ${quoted(name)} is ${field.type.kind}, whose values are no names of folders: partition by a text, a whole number, a date or the like.`,
      );
    if (encodeURIComponent(name) !== name || Buffer.byteLength(name) > 60)
      throw new PawlError(
        "data.partition",
        `The column ${quoted(name)} cannot be the name of folders that every reader takes for it: rename it to at most 60 letters, digits and underscores first.`,
      );
  }
  if (partitionBy.length > 0 && partitionBy.length === fields.length)
    throw new PawlError(
      "data.partition",
      "All columns are partitions, so that no column is left for the files: partition by fewer.",
    );
}

/** A value as it stands in a file. */
function valueSql(
  column: string,
  name: string,
  type: ColumnType,
  { format, partitionBy }: WriteTarget,
): string {
  if (format === "jsonl") return jsonSql(column, name, type, 0);
  if (format === "csv") return csvSql(column, name, type);
  if (!partitionBy.includes(name) || type.kind !== "text") return column;
  const refused = `'pawl data.partition: A text of the column ${inText(name)} cannot be the name of a folder: ' || left(${column}, 80)`;
  return `CASE WHEN lower(${column}) = 'null' OR ${column} = '__HIVE_DEFAULT_PARTITION__' OR strlen(url_encode(${column})) > ${LONGEST_VALUE} THEN error(${refused}) ELSE ${column} END`;
}

function inText(name: string): string {
  return JSON.stringify(name).replaceAll("'", "''");
}

/** A value of a CSV as text; null where it is null. */
function csvSql(column: string, name: string, type: ColumnType): string {
  switch (type.kind) {
    case "float32":
    case "float64":
      return `CASE WHEN ${column} IS NULL OR isfinite(${column}) THEN CAST(${column} AS VARCHAR) WHEN isnan(${column}) THEN 'NaN' WHEN ${column} > 0 THEN 'Infinity' ELSE '-Infinity' END`;
    case "timestamp":
    case "timestamptz":
      return isoSql(column, type.kind);
    case "list":
    case "struct":
      return `CAST(to_json(${jsonSql(column, name, type, 0)}) AS VARCHAR)`;
    default:
      return `CAST(${column} AS VARCHAR)`;
  }
}

/** A moment as ISO 8601 writes it, in UTC; what ISO has no form for, such as years before our era, stays as the engine writes it. */
function isoSql(column: string, kind: "timestamp" | "timestamptz"): string {
  const text = `CAST(${column} AS VARCHAR)`;
  const iso =
    kind === "timestamptz" ? `replace(replace(${text}, ' ', 'T'), '+00', 'Z')` : `replace(${text}, ' ', 'T')`;
  return `CASE WHEN contains(${text}, '(') THEN ${text} ELSE ${iso} END`;
}

/** A value that JSON's writer of the engine writes exactly: what JSON has no numbers for becomes text, and what it has nothing for is refused. */
function jsonSql(value: string, name: string, type: ColumnType, depth: number): string {
  const refused = `'pawl data.json: The column ${inText(name)} holds ' || CAST(${value} AS VARCHAR) || ', which JSON has no number for: make it null, or cast it to text() first.'`;
  switch (type.kind) {
    case "float32":
    case "float64":
      return `CASE WHEN isfinite(${value}) THEN ${value} WHEN ${value} IS NULL THEN NULL ELSE error(${refused}) END`;
    case "timestamp":
    case "timestamptz":
      return isoSql(value, type.kind);
    case "decimal":
    case "bytes":
    case "date":
    case "time":
    case "uuid":
      return `CAST(${value} AS VARCHAR)`;
    case "list":
      if (type.of === undefined) return value;
      return `list_transform(${value}, lambda e${depth}: ${jsonSql(`e${depth}`, name, type.of, depth + 1)})`;
    case "struct": {
      const fields = (type.fields ?? []).map(
        (field) =>
          `${quoteText(field.name)}: ${jsonSql(`struct_extract(${value}, ${quoteText(field.name)})`, name, field.type, depth)}`,
      );
      return `CASE WHEN ${value} IS NULL THEN NULL ELSE {${fields.join(", ")}} END`;
    }
    default:
      return value;
  }
}

/** Why a write failed: what a guard of ours said, or what the disk said. */
function refusal(error: unknown, { path }: WriteTarget): unknown {
  const said = `${errorText(error)} ${error instanceof Error ? errorText(error.cause ?? "") : ""}`;
  const guard = /pawl (data\.[a-z]+): ([^\n]*)/.exec(said);
  const code = guard?.[1];
  if (code === "data.json") return new PawlError("data.json", guard?.[2] as string, { cause: error });
  if (code === "data.partition")
    return new PawlError(
      "data.partition",
      `${guard?.[2]}: it would be read back as null, or is longer than file systems allow; replace it first.`,
      { cause: error },
    );
  if (/No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/i.test(said) && said.includes(join(path)))
    return new PawlError(
      "data.disk-full",
      "There is no space left where the result is written: nothing was written; free some, or write elsewhere.",
      { cause: error },
    );
  return error;
}
