import { assertOptions, type OptionNames, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { BadValues, CsvFormat, FileScan } from "../plan/node.ts";
import {
  type ColumnField,
  type ColumnType,
  type FrameSchema,
  fieldsOf,
  text,
  typeText,
} from "../schema/column-type.ts";
import { Frame } from "./frame.ts";
import type { Flat } from "./frame-types.ts";

/** What all files of rows have in common. */
export interface ReadFilesOptions<H extends FrameSchema = FrameSchema, F extends string = string> {
  /**
   * Columns that come from folders such as `year=2024`, in addition to the schema.
   * @default none
   */
  readonly hive?: H;
  /**
   * The name of a column with the path or address of each row's file, in addition to the schema.
   * @default none
   */
  readonly fileColumn?: F;
}

/** How JSONL files are read. */
export interface ReadJsonlOptions<H extends FrameSchema = FrameSchema, F extends string = string>
  extends ReadFilesOptions<H, F> {
  /**
   * What becomes of a row with a value that does not fit its declared type, or that is null where the column is not nullable. `fail`: the run fails
   * and names the file, the line and the column. `quarantine`: the row is left out and handed to `onBadRows` of the run, which has to be given.
   * @default "fail"
   */
  readonly bad?: BadValues;
}

/** How CSV files are read. */
export interface ReadCsvOptions<H extends FrameSchema = FrameSchema, F extends string = string>
  extends ReadJsonlOptions<H, F> {
  /** What parts the values of a line. @default "," */
  readonly delimiter?: string;
  /** What stands around a value with delimiters or line ends in it; null where nothing does. @default "\"" */
  readonly quote?: string | null;
  /** What stands before a quote within such a value. @default the quote, doubled */
  readonly escape?: string;
  /** Whether the first line of each file has the names of the columns, which are then found by name; otherwise by place. @default true */
  readonly header?: boolean;
  /** A text that stands for null, besides nothing at all between two delimiters. @default "" */
  readonly nullText?: string;
}

/** The columns of files: those of the schema, of folders, and of the file's name. */
export type FilesSchema<S extends FrameSchema, H, F extends string> = Flat<
  S & H & { readonly [C in F]: ColumnType<"text", string, false> }
>;

type NoHive = Readonly<Record<never, never>>;

const FILES: OptionNames<ReadFilesOptions> = { hive: true, fileColumn: true };
const JSONL: OptionNames<ReadJsonlOptions> = { ...FILES, bad: true };
const CSV: OptionNames<ReadCsvOptions> = {
  ...JSONL,
  delimiter: true,
  quote: true,
  escape: true,
  header: true,
  nullText: true,
};

/**
 * Rows of CSV files: paths, patterns such as `tx_*.csv`, folders, `s3://`, `az://` or `https://`, also compressed as `.gz` or `.zst`. Every value is
 * checked against its declared type; none is guessed.
 *
 * @example
 * ```ts
 * const sales = readCsv("sales_*.csv", { user: text(), amount: float64().nullable() }, { delimiter: ";" });
 * const perUser = sales.groupBy("user").agg((c) => ({ total: c.amount.sum() }));
 * ```
 * @throws PawlError `data.schema` or `argument.option` for what cannot be meant; when it runs `data.no-match` where no file is found
 */
export function readCsv<
  const S extends FrameSchema,
  const H extends FrameSchema = NoHive,
  const F extends string = never,
>(
  locations: string | readonly string[],
  schema: S,
  options: ReadCsvOptions<H, F> = {},
): Frame<FilesSchema<S, H, F>> {
  assertOptions(options, CSV, "readCsv");
  const scan = scanOf("csv", locations, schema, options, "readCsv()");
  return new Frame({ ...scan, bad: badOf(options.bad, "readCsv()"), csv: csvFormat(options) });
}

/**
 * Rows of Parquet files: paths, patterns, folders, `s3://`, `az://` or `https://`. Only the columns and the parts of the files that a result needs
 * are read.
 *
 * @example
 * ```ts
 * const sales = readParquet("sales/", { user: text(), amount: float64() }, { hive: { year: int32() } });
 * const recent = sales.filter((c) => c.year.ge(2024));
 * ```
 */
export function readParquet<
  const S extends FrameSchema,
  const H extends FrameSchema = NoHive,
  const F extends string = never,
>(
  locations: string | readonly string[],
  schema: S,
  options: ReadFilesOptions<H, F> = {},
): Frame<FilesSchema<S, H, F>> {
  assertOptions(options, FILES, "readParquet");
  return new Frame(scanOf("parquet", locations, schema, options, "readParquet()"));
}

/**
 * Rows of files with a JSON object on each line: paths, patterns, folders, `s3://`, `az://` or `https://`, also compressed as `.gz` or `.zst`.
 * A property that is not in the schema is left out; one that is missing is null.
 *
 * @example
 * ```ts
 * const log = readJsonl("logs/*.jsonl", { level: text(), message: text().nullable() });
 * const errors = log.filter((c) => c.level.eq("ERROR"));
 * ```
 */
export function readJsonl<
  const S extends FrameSchema,
  const H extends FrameSchema = NoHive,
  const F extends string = never,
>(
  locations: string | readonly string[],
  schema: S,
  options: ReadJsonlOptions<H, F> = {},
): Frame<FilesSchema<S, H, F>> {
  assertOptions(options, JSONL, "readJsonl");
  const scan = scanOf("jsonl", locations, schema, options, "readJsonl()");
  return new Frame({ ...scan, bad: badOf(options.bad, "readJsonl()") });
}

function scanOf(
  format: FileScan["format"],
  locations: unknown,
  schema: FrameSchema,
  { hive = {}, fileColumn }: ReadFilesOptions,
  verb: string,
): FileScan {
  const own = fieldsOf(schema, verb);
  const folders = fieldsOf(hive, `The option hive of ${verb}`);
  for (const { name, type } of folders)
    if (type.kind === "list" || type.kind === "struct" || type.kind === "bytes" || type.kind === "json")
      throw new PawlError(
        "data.schema",
        `The name of a folder cannot be ${typeText(type)}, as ${quoted(name)} of the option hive is.`,
      );
  if (fileColumn !== undefined && typeof fileColumn !== "string")
    throw new PawlError(
      "data.argument",
      `The option fileColumn of ${verb} is the name of a column, not ${shown(fileColumn)}.`,
    );
  const file: readonly ColumnField[] = fileColumn === undefined ? [] : [{ name: fileColumn, type: text() }];
  const fields = [...own, ...folders, ...file];
  if (own.length === 0)
    throw new PawlError("data.schema", `${verb} needs at least one column in its schema.`);
  const names = new Set<string>();
  for (const { name } of fields) {
    if (names.has(name))
      throw new PawlError(
        "data.schema",
        `${verb} has two columns ${quoted(name)}: one in the schema, and one of a folder or the file's name.`,
      );
    names.add(name);
  }
  return {
    kind: "scan",
    format,
    locations: locationsOf(locations, verb),
    fields,
    hive: folders,
    fileColumn: fileColumn ?? null,
    bad: "fail",
    csv: null,
  };
}

function locationsOf(given: unknown, verb: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0) throw new PawlError("data.argument", `${verb} needs at least one file or pattern.`);
  for (const each of list)
    if (typeof each !== "string" || each === "")
      throw new PawlError(
        "data.argument",
        `${verb} needs paths, patterns or addresses of files, not ${shown(each)}.`,
      );
  return [...list] as string[];
}

function badOf(bad: unknown, verb: string): BadValues {
  if (bad === undefined || bad === "fail" || bad === "quarantine") return bad ?? "fail";
  throw new PawlError(
    "data.argument",
    `The option bad of ${verb} is "fail" or "quarantine", not ${quoted(bad)}.`,
  );
}

/** How a CSV is written, checked. */
function csvFormat({
  delimiter = ",",
  quote = '"',
  escape: escaping,
  header = true,
  nullText = "",
}: ReadCsvOptions): CsvFormat {
  const character = (value: unknown, option: string, longest: number): string => {
    if (typeof value === "string" && value.length >= 1 && value.length <= longest && !/[\r\n\0]/.test(value))
      return value;
    throw new PawlError(
      "data.argument",
      `The option ${option} of readCsv() is ${longest === 1 ? "one character" : `1 to ${longest} characters`} on a line, not ${quoted(value)}.`,
    );
  };
  const quoting = quote === null ? "" : character(quote, "quote", 1);
  const made = {
    delimiter: character(delimiter, "delimiter", 4),
    quote: quoting,
    escape: escaping === undefined ? quoting : character(escaping, "escape", 1),
  };
  if (made.delimiter.includes(made.quote) && made.quote !== "")
    throw new PawlError("data.argument", "readCsv() cannot part values by the character that quotes them.");
  if (typeof header !== "boolean")
    throw new PawlError(
      "data.argument",
      `The option header of readCsv() is true or false, not ${shown(header)}.`,
    );
  if (typeof nullText !== "string")
    throw new PawlError(
      "data.argument",
      `The option nullText of readCsv() is a text, not ${shown(nullText)}.`,
    );
  return { ...made, header, nullText };
}
