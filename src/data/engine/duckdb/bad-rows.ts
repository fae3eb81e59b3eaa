import { clipped } from "../../../clip.ts";
import { PawlError } from "../../../errors.ts";
import type { CsvFormat, FileScan } from "../../plan/node.ts";
import { type ColumnField, typeText } from "../../schema/column-type.ts";
import type { BadRow } from "../contract.ts";
import type { DuckDBQuery } from "./query.ts";
import { quoteName } from "./quote.ts";
import { unpackedBytes } from "./scan-files.ts";
import {
  CSV,
  csvTable,
  type FileGroup,
  fileFields,
  firstBadColumn,
  firstBadValue,
  jsonParts,
  jsonTable,
  linesTable,
  parquetFits,
  parquetTable,
  rejectTables,
  type ScanReading,
} from "./scan-sql.ts";

/** Characters of a line that are kept of a bad row. */
const LONGEST_RAW = 10_000;

/** A bad row before its line in the file is known: `record` counts records from 1, those that DuckDB's reader refuses left out. */
interface Found {
  readonly record: number;
  readonly place: number;
  readonly value: string | null;
}

/** The bad rows of one file: all, or the first. They are looked for in the file itself, so that they have lines. */
export async function badRowsOf(
  query: DuckDBQuery,
  scan: FileScan,
  reading: ScanReading,
  file: string,
  only: "first" | "all",
): Promise<readonly BadRow[]> {
  const group = reading.groups.find(({ files }) => files.includes(file));
  if (group === undefined) return [];
  const one: FileGroup = { ...group, files: [file] };
  if (scan.format === "parquet") return await badRowsOfParquet(query, scan, reading, one, only);
  const table = `pawl_judge_${reading.id}`;
  for (const name of [table, `${table}_scans`]) await query.run(`DROP TABLE IF EXISTS ${quoteName(name)}`);
  const rejects = `, store_rejects = true, rejects_limit = 0, rejects_table = '${table}', rejects_scan = '${table}_scans')`;
  const limit = only === "first" ? " LIMIT 1" : "";
  const rows =
    scan.format === "csv"
      ? await query.run(csvJudge(scan, one, rejects) + limit)
      : await query.run(jsonJudge(scan, one, rejects) + limit);
  const refused = await refusedRows(query, { errors: table, scans: `${table}_scans` }, [one]);
  const found = rows.map((row) => ({
    record: Number(row.record),
    place: Number(row.bad),
    value: row.value === null || row.value === undefined ? null : String(row.value),
    raw: row.raw === null || row.raw === undefined ? null : String(row.raw),
  }));
  const columns = scan.format === "csv" ? one.columns : fileFields(scan);
  const located: BadRow[] = [];
  if (scan.format === "jsonl")
    for (const bad of found)
      located.push(badRow(file, bad.record, columns[bad.place] ?? null, bad.value, bad.raw));
  else {
    const lines = await linesOf(scan, one, found, new Set(refused.map(({ record }) => record)));
    found.forEach((bad, index) => {
      const at = lines[index];
      located.push(badRow(file, at?.line ?? null, columns[bad.place] ?? null, bad.value, at?.raw ?? null));
    });
  }
  const shapes = refused.map(({ file: path, line, column, reason, raw }) => ({
    file: path,
    line,
    column: columnName(column, one),
    reason,
    raw,
  }));
  const all = [...located, ...shapes].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return only === "first" ? all.slice(0, 1) : all;
}

function csvJudge(scan: FileScan, group: FileGroup, rejects: string): string {
  const types = group.columns.map(() => "VARCHAR");
  const values = group.columns.map((_, place) => `WHEN ${place} THEN c${place}`).join(" ");
  const records = `SELECT *, row_number() OVER () AS record FROM ${csvTable(scan, group, types)}${rejects}`;
  return `SELECT record, bad, CASE bad ${values} END AS value FROM (SELECT *, ${firstBadColumn(group.columns)} AS bad FROM (${records})) WHERE bad IS NOT NULL`;
}

function jsonJudge(scan: FileScan, group: FileGroup, rejects: string): string {
  const inFile = fileFields(scan);
  const values = inFile.map((_, place) => `WHEN ${place} THEN ${jsonParts(place).text}`).join(" ");
  const value = inFile.length === 0 ? "NULL" : `CASE bad ${values} END`;
  const lines = `(SELECT *, row_number() OVER () AS record FROM ${linesTable(scan, group)}${rejects})`;
  const table = jsonTable(scan, lines).replace("SELECT c0, ", "SELECT c0, record, ");
  return `SELECT record, bad, ${value} AS value, c0[:${LONGEST_RAW}] AS raw FROM (SELECT *, ${firstBadValue(inFile)} AS bad FROM ${table}) WHERE bad IS NOT NULL`;
}

async function badRowsOfParquet(
  query: DuckDBQuery,
  scan: FileScan,
  reading: ScanReading,
  group: FileGroup,
  only: "first" | "all",
): Promise<readonly BadRow[]> {
  const fits = parquetFits(scan, reading);
  if (fits.length === 0) return [];
  const rows = await query.run(
    `SELECT file_row_number + 1 AS row, [${fits.join(", ")}] AS fits FROM ${parquetTable(scan, [group])} WHERE NOT (${fits.join(" AND ")}) ORDER BY 1${only === "first" ? " LIMIT 1" : ""}`,
  );
  const names = fileFields(scan).flatMap((field) => {
    const own = parquetFits({ ...scan, fields: [field], hive: [], fileColumn: null }, reading);
    return own.map((test) => ({ field, test }));
  });
  return rows.map((row) => {
    const place = (row.fits as readonly (boolean | null)[]).findIndex((fit) => fit !== true);
    const field = names[place]?.field ?? null;
    const reason = names[place]?.test.endsWith("IS NOT NULL")
      ? `has no value in row ${row.row}`
      : `has a value in row ${row.row} that does not fit ${field === null ? "its type" : typeText(field.type)}`;
    return { file: group.files[0] as string, line: null, column: field?.name ?? null, reason, raw: null };
  });
}

/** A row that DuckDB's reader refused. `record` is its number in the file, blank ones and the header counted. */
interface RefusedRow extends BadRow {
  readonly line: number;
  readonly record: number;
}

/** The rows that DuckDB's reader refused, each once, with its first error. */
async function refusedRows(
  query: DuckDBQuery,
  tables: { readonly errors: string; readonly scans: string },
  groups: readonly FileGroup[],
): Promise<readonly RefusedRow[]> {
  const rows = await query.run(
    `SELECT s.file_path AS file, e.line AS record, e.line_byte_position AS position, e.column_name AS column, e.error_type::VARCHAR AS kind, e.csv_line[:${LONGEST_RAW}] AS raw, e.error_message AS message FROM ${quoteName(tables.errors)} AS e JOIN ${quoteName(tables.scans)} AS s USING (scan_id, file_id) QUALIFY row_number() OVER (PARTITION BY file, record ORDER BY e.column_idx) = 1 ORDER BY file, position`,
  );
  const refused: RefusedRow[] = [];
  const byFile = Map.groupBy(rows, (row) => String(row.file));
  for (const [file, bad] of byFile) {
    const compression = groups.find(({ files }) => files.includes(file))?.compression ?? "none";
    const starts = await linesAt(
      file,
      compression,
      bad.map((row) => Number(row.position) - 1),
    );
    bad.forEach((row, index) => {
      const raw = String(row.raw ?? "");
      const blank = /^[\r\n]*/.exec(raw)?.[0] ?? "";
      refused.push({
        file,
        line: (starts[index] as number) + (blank.split("\n").length - 1 || blank.length),
        record: Number(row.record),
        column: row.column === null ? null : String(row.column),
        reason: refusal(String(row.kind), String(row.message)),
        raw: raw.slice(blank.length),
      });
    });
  }
  return refused;
}

/** The rows that DuckDB's reader refused in all groups of a scan, with the names of their columns. */
export async function refusedByScan(query: DuckDBQuery, reading: ScanReading): Promise<readonly BadRow[]> {
  const all: BadRow[] = [];
  for (const [index, group] of reading.groups.entries()) {
    for (const { record: _, ...row } of await refusedRows(
      query,
      rejectTables(reading, index),
      reading.groups,
    )) {
      const field = fieldAt(row.column, group);
      const value = /Could not convert string "([\s\S]*)" to '/.exec(row.reason)?.[1];
      const column = field?.name ?? null;
      const reason =
        value !== undefined && field !== null
          ? wrongValue(value, field)
          : row.reason.startsWith("Error when") && field !== null
            ? noValue(field)
            : row.reason;
      all.push({ ...row, column, reason });
    }
  }
  return all;
}

/** The field of a column that DuckDB's reader calls `c3`. */
function fieldAt(column: string | null, group: FileGroup): ColumnField | null {
  const place = /^c(\d+)$/.exec(column ?? "")?.[1];
  return place === undefined ? null : (group.columns[Number(place)] ?? null);
}

function columnName(column: string | null, group: FileGroup): string | null {
  return fieldAt(column, group)?.name ?? null;
}

/** What DuckDB's reader has against a record, in words of ours. */
function refusal(kind: string, message: string): string {
  const counts = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  if (kind === "TOO MANY COLUMNS" && counts !== null)
    return `has ${counts[2]} or more values where ${counts[1]} are expected`;
  if (kind === "MISSING COLUMNS" && counts !== null)
    return `has fewer values than the ${counts[1]} that are expected`;
  if (kind === "UNQUOTED VALUE") return "has a quote that is not closed, or text after one";
  if (kind === "INVALID ENCODING" || kind === "INVALID UNICODE") return "is not UTF-8";
  if (kind === "LINE SIZE OVER MAXIMUM") return "is longer than a line may be";
  return message;
}

function badRow(
  file: string,
  line: number | null,
  field: ColumnField | null,
  value: string | null,
  raw: string | null,
): BadRow {
  const reason =
    field === null ? "is not an object of JSON" : value === null ? noValue(field) : wrongValue(value, field);
  return { file, line, column: field?.name ?? null, reason, raw };
}

function noValue({ type }: ColumnField): string {
  return `has no value, and ${typeText(type)} allows no null`;
}

function wrongValue(value: string, { type }: ColumnField): string {
  return `has ${JSON.stringify(clipped(value, 80))}, which does not fit ${typeText(type.notNull())}`;
}

/** A bad row as the sentence of an error. */
export function badRowError(row: BadRow): PawlError {
  const line = row.line === null ? "" : ` line ${row.line}`;
  const what = row.column === null ? row.reason : `the column ${JSON.stringify(row.column)} ${row.reason}`;
  const advice =
    row.column === null ? "" : ': correct the file, declare another type, or read it with bad: "quarantine"';
  return new PawlError("data.bad-value", `${row.file}${line}: ${what}${advice}.`);
}

/** In which lines of a CSV records stand, which are counted without those that begin in the lines that are left out. */
async function linesOf(
  scan: FileScan,
  group: FileGroup,
  found: readonly Found[],
  refused: ReadonlySet<number>,
): Promise<readonly ({ readonly line: number; readonly raw: string } | undefined)[]> {
  const wanted = new Map(found.map(({ record }, index) => [record, index]));
  const lines: ({ line: number; raw: string } | undefined)[] = new Array(found.length);
  let left = found.length;
  const format = scan.csv ?? CSV;
  const single = group.columns.length === 1;
  let skipHeader = format.header;
  let record = 0;
  let row = 0;
  if (left === 0) return lines;
  for await (const { line, bytes } of recordsOf(group, format)) {
    row++;
    if (bytes.length === 0 && !single) continue;
    if (skipHeader) {
      skipHeader = false;
      continue;
    }
    // DuckDB counts records where we count lines.
    if (refused.has(row)) continue;
    const index = wanted.get(++record);
    if (index === undefined) continue;
    lines[index] = { line, raw: bytes.subarray(0, LONGEST_RAW).toString("utf8") };
    if (--left === 0) break;
  }
  return lines;
}

/** The records of a CSV with the lines in which they begin, blank lines too. A quote opens only at the beginning of a field, as in DuckDB. */
async function* recordsOf(
  group: FileGroup,
  { delimiter, quote, escape: escaping }: CsvFormat,
): AsyncGenerator<{ readonly line: number; readonly bytes: Buffer }> {
  const mark = quote === "" ? -1 : quote.charCodeAt(0);
  const other = quote === "" || escaping === "" || escaping === quote ? -1 : escaping.charCodeAt(0);
  const between = delimiter.charCodeAt(delimiter.length - 1);
  let held: Buffer = Buffer.alloc(0);
  let line = 1;
  let next = 1;
  let state: "begins" | "plain" | "quoted" | "escaped" | "closed" = "begins";
  let returned = false;
  for await (const piece of unpackedBytes(group.files[0] as string, group.compression)) {
    let start = 0;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at] as number;
      const follows = returned && byte === 10;
      returned = byte === 13;
      if ((byte === 10 && !follows) || byte === 13) next++;
      if (state === "escaped") state = "quoted";
      else if (state === "quoted") {
        if (byte === other) state = "escaped";
        else if (byte === mark) state = "closed";
      } else if (follows) start = at + 1;
      else if (byte === 10 || byte === 13) {
        const bytes = piece.subarray(start, at);
        yield { line, bytes: held.length === 0 ? bytes : Buffer.concat([held, bytes]) };
        held = Buffer.alloc(0);
        start = at + 1;
        line = next;
        state = "begins";
      } else if (byte === mark && state !== "plain") state = "quoted";
      else state = byte === between ? "begins" : "plain";
    }
    if (start < piece.length) held = Buffer.concat([held, piece.subarray(start)]);
  }
  if (held.length > 0) yield { line, bytes: held };
}

/** In which lines of a file bytes stand; the positions grow. */
async function linesAt(
  path: string,
  compression: FileGroup["compression"],
  positions: readonly number[],
): Promise<readonly number[]> {
  const lines: number[] = [];
  let offset = 0;
  let feeds = 0;
  let returns = 0;
  for await (const piece of unpackedBytes(path, compression)) {
    let from = 0;
    for (;;) {
      const position = positions[lines.length];
      const end = position === undefined ? from : Math.min(position - offset, piece.length);
      for (let at = piece.indexOf(10, from); at >= 0 && at < end; at = piece.indexOf(10, at + 1)) feeds++;
      if (feeds === 0)
        for (let at = piece.indexOf(13, from); at >= 0 && at < end; at = piece.indexOf(13, at + 1)) returns++;
      from = end;
      if (position === undefined || position - offset > piece.length) break;
      lines.push(1 + (feeds === 0 ? returns : feeds));
    }
    offset += piece.length;
    if (lines.length === positions.length) break;
  }
  while (lines.length < positions.length) lines.push(1 + (feeds === 0 ? returns : feeds));
  return lines;
}
