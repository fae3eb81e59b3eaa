import type { CsvFormat, FileScan } from "../../plan/node.ts";
import type { ColumnField } from "../../schema/column-type.ts";
import { sqlName } from "./names.ts";
import { quoteName, quoteText } from "./quote.ts";
import { columnReading, jsonFits, jsonValue, textFits } from "./scan-columns.ts";
import { duckdbType } from "./types.ts";

/** What is known of the files of a scan before its query runs. */
export interface ScanReading {
  /** The place of the scan in its query, by which its bad values name it. */
  readonly id: number;
  /** The number of the query in this process, by which its bad rows are counted. */
  readonly run: number;
  /** Files that are read alike, in their order. */
  readonly groups: readonly FileGroup[];
  /** Of Parquet: the columns that hold no null according to all files, and the SQL of those whose type is another than the declared one. */
  readonly parquet: ReadonlyMap<string, ParquetColumn>;
}

/** Files with the same columns in the same places, packed alike. */
export interface FileGroup {
  readonly files: readonly string[];
  /** The fields in the order of the files; null for a column that is not declared. */
  readonly columns: readonly (ColumnField | null)[];
  readonly compression: "none" | "gzip" | "zstd";
}

/** A column of Parquet. */
export interface ParquetColumn {
  readonly holdsNulls: boolean;
  /** DuckDB's name of its type in the files. */
  readonly type: string;
}

/** The format of CSV files where none is given. */
export const CSV: CsvFormat = { delimiter: ",", quote: '"', escape: '"', header: true, nullText: "" };

/** The function of ours that counts a bad row and says that it has. */
export const BAD_ROW = "pawl_bad_row";
/** How an error of ours about a bad value begins; the scan, the column and the file follow. */
export const BAD_VALUE = "pawl-bad-value";
/** The column with the path of a row's file. */
const FILE = "pawl file";

const READINGS = new WeakMap<FileScan, ScanReading>();

/** A scan of its own for one query, with what is known of its files. */
export function readingScan(scan: FileScan, reading: ScanReading): FileScan {
  const own = { ...scan };
  READINGS.set(own, reading);
  return own;
}

/** The names of the tables in which DuckDB notes the rows that its reader refuses. */
export function rejectTables(
  { run, id }: ScanReading,
  group: number,
): { readonly errors: string; readonly scans: string } {
  return { errors: `pawl_rejects_${run}_${id}_${group}`, scans: `pawl_reject_scans_${run}_${id}_${group}` };
}

/** The query that reads files: the columns of the scan under the names of `sqlNames`. */
export function scanSql(scan: FileScan): string {
  const reading = READINGS.get(scan) ?? plainReading(scan);
  if (reading.groups.length === 0) return nothingSql(scan);
  if (scan.format === "parquet") return parquetSql(scan, reading);
  return reading.groups
    .map((group, index) =>
      scan.format === "csv" ? csvSql(scan, reading, group, index) : jsonSql(scan, reading, group, index),
    )
    .join(" UNION ALL ");
}

/** The columns of a scan that stand in its files. */
export function fileFields({ fields, hive, fileColumn }: FileScan): readonly ColumnField[] {
  const other = new Set([...hive.map(({ name }) => name), fileColumn]);
  return fields.filter(({ name }) => !other.has(name));
}

/** Of a scan whose files are not looked at, for showing its SQL. */
function plainReading(scan: FileScan): ScanReading {
  const group = { files: scan.locations, columns: fileFields(scan), compression: "none" as const };
  return { id: 0, run: 0, groups: [group], parquet: new Map() };
}

function nothingSql({ fields }: FileScan): string {
  const columns = fields.map(
    ({ name, type }) => `CAST(NULL AS ${duckdbType(type)}) AS ${sqlName(name, fields)}`,
  );
  return `SELECT ${listOf(columns)} WHERE false`;
}

function listOf(columns: readonly string[]): string {
  return columns.length === 0 ? 'true AS " row"' : columns.join(", ");
}

/** What all readers are told of paths: hive's columns, and the file of each row. */
function pathOptions(scan: FileScan): string {
  const { hive } = scan;
  const types = hive.map(({ name, type }) => `${quoteText(name)}: ${quoteText(duckdbType(type))}`).join(", ");
  const hives =
    hive.length === 0 ? "hive_partitioning = false" : `hive_partitioning = true, hive_types = {${types}}`;
  return `filename = ${quoteText(FILE)}, ${hives}`;
}

/** A list of paths. DuckDB takes them for patterns, so that what has a meaning there is put into brackets. */
export function pathsSql(files: readonly string[]): string {
  return `[${files.map((file) => quoteText(file.replaceAll(/[[*?]/g, "[$&]"))).join(", ")}]`;
}

/** The error that a bad value of a column raises. */
function badValue({ id }: ScanReading, column: number): string {
  return `error('${BAD_VALUE} ${id} ${column} ' || ${quoteName(FILE)})`;
}

/** Rows that fit; of a row that does not, our function counts it. The error keeps DuckDB from judging rows in another order. */
function keepSql({ run, id }: ScanReading, fits: readonly string[]): string {
  if (fits.length === 0) return "";
  return ` WHERE CASE WHEN ${fits.join(" AND ")} THEN true WHEN ${BAD_ROW}(${run}, ${id}, ${quoteName(FILE)}) THEN false ELSE error('pawl') END`;
}

/** The columns that do not stand in the files. */
function pathColumn(
  name: string,
  { fileColumn, hive, fields }: FileScan,
  reading: ScanReading,
): string | null {
  if (name === fileColumn) return quoteName(FILE);
  const column = hive.find((field) => field.name === name);
  if (column === undefined) return null;
  const sql = quoteName(name);
  if (column.type.isNullable) return sql;
  return `CASE WHEN ${sql} IS NULL THEN ${badValue(
    reading,
    fields.findIndex((field) => field.name === name),
  )} ELSE ${sql} END`;
}

function csvSql(scan: FileScan, reading: ScanReading, group: FileGroup, index: number): string {
  const quarantine = scan.bad === "quarantine";
  const places = new Map(group.columns.map((field, place) => [field?.name, `c${place}`]));
  const select = scan.fields.map(({ name, type }, column) => {
    const place = places.get(name) ?? "";
    const value =
      pathColumn(name, scan, reading) ??
      (quarantine ? columnReading(type).value(place) : checkedSql(place, type, badValue(reading, column)));
    return `${value} AS ${sqlName(name, scan.fields)}`;
  });
  const fits = group.columns.flatMap((field, place) =>
    field === null ? [] : [nativeFits(`c${place}`, field)],
  );
  const rejects = rejectTables(reading, index);
  const more = quarantine
    ? `, store_rejects = true, rejects_limit = 0, rejects_table = '${rejects.errors}', rejects_scan = '${rejects.scans}'`
    : "";
  const columns = group.columns.map((field) => (field === null ? "VARCHAR" : columnReading(field.type).read));
  return `SELECT ${listOf(select)} FROM ${csvTable(scan, group, columns)}${more})${quarantine ? keepSql(reading, fits) : ""}`;
}

/** The beginning of the table function of CSV files, without the parenthesis that ends it; its columns are c0, c1 …. */
export function csvTable(scan: FileScan, group: FileGroup, types: readonly string[]): string {
  const { delimiter, quote, escape: escaping, header, nullText } = scan.csv ?? CSV;
  const columns = types.map((type, place) => `'c${place}': ${quoteText(type)}`).join(", ");
  // A reader of numbers refuses an empty field where it may not be null; of texts it would make an empty one.
  const required = group.columns.flatMap((field, place) =>
    field !== null && !field.type.isNullable && !isText(types[place] as string) ? [`'c${place}'`] : [],
  );
  const options = [
    `columns = {${columns}}`,
    "auto_detect = false",
    `delim = ${quoteText(delimiter)}`,
    `quote = ${quoteText(quote)}`,
    `escape = ${quoteText(quote === "" ? "" : escaping)}`,
    `header = ${header}`,
    `nullstr = [${nullText === "" ? "''" : `'', ${quoteText(nullText)}`}]`,
    "allow_quoted_nulls = false",
    "null_padding = false",
    `compression = '${group.compression}'`,
    ...(required.length === 0 ? [] : [`force_not_null = [${required.join(", ")}]`]),
    pathOptions(scan),
  ];
  return `read_csv(${pathsSql(group.files)}, ${options.join(", ")}`;
}

function isText(type: string): boolean {
  return type === "VARCHAR" || type === "JSON";
}

/** A value as it was read where it fits, and otherwise an error. */
function checkedSql(sql: string, type: ColumnField["type"], error: string): string {
  const { read, fits, value } = columnReading(type);
  const needed = !type.isNullable && isText(read);
  if (fits === null)
    return needed ? `CASE WHEN ${sql} IS NULL THEN ${error} ELSE ${value(sql)} END` : value(sql);
  const judged = needed ? `${sql} IS NOT NULL AND ${fits(sql)}` : `${sql} IS NULL OR ${fits(sql)}`;
  return `CASE WHEN ${judged} THEN ${value(sql)} ELSE ${error} END`;
}

/** Whether a value that DuckDB's reader took fits. Every declared column is looked at, so that the reader reads each of them. */
function nativeFits(sql: string, { type }: ColumnField): string {
  const { fits } = columnReading(type);
  if (!type.isNullable)
    return fits === null ? `${sql} IS NOT NULL` : `(${sql} IS NOT NULL AND coalesce(${fits(sql)}, false))`;
  return `(${sql} IS NULL OR ${fits === null ? `${sql} = ${sql}` : `coalesce(${fits(sql)}, false)`})`;
}

/** A table function that reads lines as they stand, without the parenthesis that ends it; the line is `c0`. */
export function linesTable(scan: FileScan, group: FileGroup): string {
  return `read_csv(${pathsSql(group.files)}, columns = {'c0': 'VARCHAR'}, auto_detect = false, header = false, delim = '', quote = '', escape = '', nullstr = '', strict_mode = false, max_line_size = ${LONGEST_LINE}, buffer_size = ${2 * LONGEST_LINE}, compression = '${group.compression}', ${pathOptions(scan)}`;
}

/** The longest line of JSON, in bytes. */
const LONGEST_LINE = 16 * 1024 ** 2;

function jsonSql(scan: FileScan, reading: ScanReading, group: FileGroup, index: number): string {
  const quarantine = scan.bad === "quarantine";
  const inFile = fileFields(scan);
  const select = scan.fields.map(({ name, type }, column) => {
    const own = pathColumn(name, scan, reading);
    const sql = sqlName(name, scan.fields);
    if (own !== null) return `${own} AS ${sql}`;
    const { kind, text, raw } = jsonParts(inFile.findIndex((field) => field.name === name));
    const value = jsonValue(kind, text, raw, type);
    if (quarantine) return `${value} AS ${sql}`;
    return `CASE WHEN ${jsonFits(kind, text, type)} THEN ${value} ELSE ${badValue(reading, column)} END AS ${sql}`;
  });
  const rejects = rejectTables(reading, index);
  const more = quarantine
    ? `, store_rejects = true, rejects_limit = 0, rejects_table = '${rejects.errors}', rejects_scan = '${rejects.scans}'`
    : "";
  const table = jsonTable(scan, `${linesTable(scan, group)}${more})`, reading.run);
  const fits = jsonRowFits(inFile);
  const keep = quarantine
    ? keepSql(reading, fits)
    : ` WHERE CASE WHEN j IS NOT NULL THEN true ELSE ${badValue(reading, -1)} END`;
  return `SELECT ${listOf(select)} FROM ${table}${keep}`;
}

/** What must hold of a line of JSON that fits: it is an object, and each declared value fits. */
function jsonRowFits(inFile: readonly ColumnField[]): readonly string[] {
  return [
    "j IS NOT NULL",
    ...inFile.map(({ type }, place) => {
      const { kind, text } = jsonParts(place);
      return `coalesce(${jsonFits(kind, text, type)}, false)`;
    }),
  ];
}

/** Where a value of a line stands in the lists that are taken out of it at once. */
export function jsonParts(place: number): {
  readonly kind: string;
  readonly text: string;
  readonly raw: string;
} {
  return { kind: `t[${place + 1}]`, text: `s[${place + 1}]`, raw: `v[${place + 1}]` };
}

/** Lines that are not blank with their values: `j` is the object, null where the line is none. */
export function jsonTable(scan: FileScan, lines: string, run = 0): string {
  const inFile = fileFields(scan);
  const hive = scan.hive.map(({ name }) => `, ${quoteName(name)}`).join("");
  const pointers = `[${inFile.map(({ name }) => quoteText(`/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`)).join(", ")}]`;
  const lists =
    inFile.length === 0
      ? ""
      : `, json_type(j, ${pointers}) AS t, json_extract_string(j, ${pointers}) AS s, json_extract(j, ${pointers}) AS v`;
  const isObject = "CASE WHEN json_valid(c0) THEN CASE WHEN json_type(c0) = 'OBJECT' THEN c0 END END";
  const filled = "c0 IS NOT NULL AND trim(c0, ' \t\r') <> ''";
  // Blank lines are counted too, since DuckDB's reader counts them as rows.
  const where =
    run === 0
      ? filled
      : `CASE WHEN ${filled} THEN true ELSE NOT ${BAD_ROW}(${run}, -1, ${quoteName(FILE)}) END`;
  return `(SELECT *${lists} FROM (SELECT c0, ${quoteName(FILE)}${hive}, ${isObject} AS j FROM (SELECT * FROM ${lines}) WHERE ${where}))`;
}

function parquetSql(scan: FileScan, reading: ScanReading): string {
  const quarantine = scan.bad === "quarantine";
  const select = scan.fields.map((field, column) => {
    const own = pathColumn(field.name, scan, reading);
    const value = own ?? parquetValue(field, reading, quarantine ? null : badValue(reading, column));
    return `${value} AS ${sqlName(field.name, scan.fields)}`;
  });
  const keep = quarantine ? keepSql(reading, parquetFits(scan, reading)) : "";
  return `SELECT ${listOf(select)} FROM ${parquetTable(scan, reading.groups)}${keep}`;
}

/** The table function of Parquet files. */
export function parquetTable(scan: FileScan, groups: readonly FileGroup[]): string {
  return `read_parquet(${pathsSql(groups.flatMap(({ files }) => files))}, union_by_name = true, ${pathOptions(scan)})`;
}

/** What must hold of a row of Parquet that fits; nothing of columns that cannot hold another value. */
export function parquetFits(scan: FileScan, reading: ScanReading): readonly string[] {
  return fileFields(scan).flatMap((field) => {
    const sql = quoteName(field.name);
    const known = reading.parquet.get(field.name);
    const tests: string[] = [];
    if (!field.type.isNullable && known?.holdsNulls !== false) tests.push(`${sql} IS NOT NULL`);
    if (!isSameType(known, field)) {
      const same = `coalesce(TRY_CAST(${sql} AS ${duckdbType(field.type)}) = ${sql}, false)`;
      tests.push(field.type.isNullable ? `(${sql} IS NULL OR ${same})` : same);
    }
    return tests;
  });
}

function parquetValue(field: ColumnField, reading: ScanReading, error: string | null): string {
  const sql = quoteName(field.name);
  const known = reading.parquet.get(field.name);
  const cast = isSameType(known, field) ? sql : `CAST(${sql} AS ${duckdbType(field.type)})`;
  if (error === null) return cast;
  const nulls = !field.type.isNullable && known?.holdsNulls !== false;
  if (cast === sql) return nulls ? `CASE WHEN ${sql} IS NULL THEN ${error} ELSE ${sql} END` : sql;
  const same = `TRY_CAST(${sql} AS ${duckdbType(field.type)}) = ${sql}`;
  return `CASE WHEN ${nulls ? "" : `${sql} IS NULL OR `}${same} THEN ${cast} ELSE ${error} END`;
}

function isSameType(known: ParquetColumn | undefined, field: ColumnField): boolean {
  return known === undefined || known.type === duckdbType(field.type).replaceAll(", ", ",");
}

/** Of a row of texts `c0`, `c1` …: the place of the first column that does not fit, null where all do. */
export function firstBadColumn(columns: readonly (ColumnField | null)[]): string {
  const tests = columns.flatMap((field, place) =>
    field === null ? [] : [`WHEN NOT ${textFits(`c${place}`, field.type)} THEN ${place}`],
  );
  return tests.length === 0 ? "NULL" : `CASE ${tests.join(" ")} END`;
}

/** Of a line of JSON: −1 where it is not an object, otherwise the place of the first value that does not fit. */
export function firstBadValue(inFile: readonly ColumnField[]): string {
  const tests = inFile.map(({ type }, place) => {
    const { kind, text } = jsonParts(place);
    return `WHEN NOT coalesce(${jsonFits(kind, text, type)}, false) THEN ${place}`;
  });
  return `CASE WHEN j IS NULL THEN -1 ${tests.join(" ")} END`;
}
