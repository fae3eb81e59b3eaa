import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { assertOptions, type OptionNames, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { fileFormat } from "../../file-format.ts";
import { isUrl } from "../../url-scheme.ts";
import type { WriteTarget, WrittenFiles } from "../engine/contract.ts";
import { fieldNamed } from "../expr/columns.ts";
import { type PublishOptions, publish } from "../parts/publish.ts";
import type { PlanNode } from "../plan/node.ts";
import type { FrameSchema } from "../schema/column-type.ts";
import { type FrameRunOptions, openRun, RUN_OPTIONS } from "./run.ts";

/** What was written. */
export interface WriteResult {
  /** Rows in all files, as their footers or the engine's counts say. */
  readonly rows: number;
  /** The files, with their paths as they are now. */
  readonly files: readonly WrittenFile[];
}

/** A file that was written. */
export interface WrittenFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
}

interface ReplaceOptions extends FrameRunOptions {
  /**
   * Replaces what is there, which stays whole until the new files are; without it (and without `append`), a target that is there is refused.
   * @default false
   */
  readonly overwrite?: boolean;
}

/** How Parquet files are written. */
export interface WriteParquetOptions<S extends FrameSchema = FrameSchema> extends ReplaceOptions {
  /**
   * Columns whose values become folders such as `year=2024/month=1`; the files do not hold them.
   * @default none: one file
   */
  readonly partitionBy?: (keyof S & string) | readonly (keyof S & string)[];
  /**
   * How the pages of the files are compressed.
   * @default "snappy"
   */
  readonly compression?: "snappy" | "zstd" | "gzip" | "lz4" | "none";
  /**
   * About how many rows a row group has.
   * @default 122_880
   */
  readonly rowGroup?: number;
  /**
   * Adds files to a folder that is there, under names that nothing else has: all of them become visible, or none.
   * @default false
   */
  readonly append?: boolean;
}

/** How a CSV file is written. */
export interface WriteCsvOptions extends ReplaceOptions {
  /** The ASCII character between values. @default a tab where the name ends in `.tsv`, else "," */
  readonly delimiter?: string;
  /** Whether the first line holds the names of the columns. @default true */
  readonly header?: boolean;
  /** What stands for null, without quotes; a text that is equal to it stands in quotes. @default "" */
  readonly nullText?: string;
  /** How the whole file is compressed. @default what the ending `.gz` or `.zst` of its name says, else "none" */
  readonly compression?: "gzip" | "zstd" | "none";
}

/** How a file of JSON lines is written. */
export interface WriteJsonlOptions extends ReplaceOptions {
  /** How the whole file is compressed. @default what the ending `.gz` or `.zst` of its name says, else "none" */
  readonly compression?: "gzip" | "zstd" | "none";
}

const PARQUET: OptionNames<WriteParquetOptions> = {
  ...RUN_OPTIONS,
  overwrite: true,
  append: true,
  partitionBy: true,
  compression: true,
  rowGroup: true,
};
const JSONL: OptionNames<WriteJsonlOptions> = { ...RUN_OPTIONS, overwrite: true, compression: true };
const CSV: OptionNames<WriteCsvOptions> = { ...JSONL, delimiter: true, header: true, nullText: true };

const PARQUET_COMPRESSIONS: ReadonlySet<unknown> = new Set(["snappy", "zstd", "gzip", "lz4", "none"]);
const FILE_COMPRESSIONS: ReadonlySet<unknown> = new Set(["gzip", "zstd", "none"]);

/** Writes a plan as Parquet: a file where the path ends in `.parquet`, else a folder. */
export async function writeParquet(
  plan: PlanNode,
  path: string,
  options: WriteParquetOptions,
): Promise<WriteResult> {
  const what = "writeParquet";
  assertOptions(options, PARQUET, what);
  const {
    partitionBy: by = [],
    compression = "snappy",
    rowGroup,
    overwrite = false,
    append = false,
  } = options;
  assertLocal(path, what);
  assertChoice(compression, PARQUET_COMPRESSIONS, "compression", what);
  assertFlags({ overwrite, append }, what);
  if (rowGroup !== undefined && (!Number.isSafeInteger(rowGroup) || rowGroup < 1))
    throw new PawlError(
      "data.argument",
      `The rowGroup of ${what}() is a number of rows from 1, not ${shown(rowGroup)}.`,
    );
  if (overwrite && append)
    throw new PawlError(
      "data.argument",
      `${what}() either replaces what is there or adds to it: give overwrite or append.`,
    );
  const partitionBy = typeof by === "string" ? [by] : [...by];
  for (const name of partitionBy) fieldNamed(name, plan.fields);
  if (new Set(partitionBy).size < partitionBy.length)
    throw new PawlError(
      "data.argument",
      `partitionBy names the column ${quoted(repeated(partitionBy))} twice.`,
    );
  const isFile = partitionBy.length === 0 && /\.(parquet|pq)$/i.test(path);
  if (isFile && append)
    throw new PawlError(
      "data.argument",
      `Files are added to a folder, and ${path} is the name of a file: give append a folder.`,
    );
  const mode = overwrite ? "overwrite" : append ? "append" : "new";
  const fileName = `part-${randomBytes(8).toString("hex")}`;
  const target: Omit<WriteTarget, "path"> = {
    format: "parquet",
    partitionBy,
    compression,
    rowGroup: rowGroup ?? null,
    csv: null,
    ...(partitionBy.length === 0 ? {} : { fileName }),
  };
  return await write(plan, path, target, {
    shape: isFile ? "file" : "folder",
    mode,
    what,
    ...(isFile || partitionBy.length > 0 ? {} : { only: `${fileName}.parquet` }),
    options: runOptions(options),
  });
}

/** Writes a plan as a CSV file. */
export async function writeCsv(plan: PlanNode, path: string, options: WriteCsvOptions): Promise<WriteResult> {
  const what = "writeCsv";
  assertOptions(options, CSV, what);
  assertLocal(path, what);
  const format = fileFormat(path);
  const { header = true, nullText = "", overwrite = false } = options;
  const { delimiter = format?.delimiter ?? ",", compression = format?.compression ?? "none" } = options;
  assertFlags({ overwrite, header }, what);
  assertChoice(compression, FILE_COMPRESSIONS, "compression", what);
  if (typeof delimiter !== "string" || !isDelimiter(delimiter))
    throw new PawlError(
      "data.argument",
      `The delimiter of ${what}() is one ASCII character, and neither a quote nor a line end, not ${shown(delimiter)}.`,
    );
  if (typeof nullText !== "string" || /["\r\n\0]/.test(nullText) || nullText.includes(delimiter))
    throw new PawlError(
      "data.argument",
      `The nullText of ${what}() is a text without delimiters, quotes and line ends, not ${shown(nullText)}.`,
    );
  const target = {
    format: "csv",
    partitionBy: [],
    compression,
    rowGroup: null,
    csv: { delimiter, header, nullText },
  } as const;
  return await write(plan, path, target, {
    shape: "file",
    mode: overwrite ? "overwrite" : "new",
    what,
    options: runOptions(options),
  });
}

/** Writes a plan as a file of JSON lines. */
export async function writeJsonl(
  plan: PlanNode,
  path: string,
  options: WriteJsonlOptions,
): Promise<WriteResult> {
  const what = "writeJsonl";
  assertOptions(options, JSONL, what);
  assertLocal(path, what);
  const { overwrite = false, compression = fileFormat(path)?.compression ?? "none" } = options;
  assertFlags({ overwrite }, what);
  assertChoice(compression, FILE_COMPRESSIONS, "compression", what);
  const target = { format: "jsonl", partitionBy: [], compression, rowGroup: null, csv: null } as const;
  return await write(plan, path, target, {
    shape: "file",
    mode: overwrite ? "overwrite" : "new",
    what,
    options: runOptions(options),
  });
}

interface Writing extends PublishOptions {
  /** The one file of a folder. */
  readonly only?: string;
  readonly options: FrameRunOptions;
}

async function write(
  plan: PlanNode,
  path: string,
  target: Omit<WriteTarget, "path">,
  { only, options, ...publishing }: Writing,
): Promise<WriteResult> {
  const { signal } = options;
  let staged = "";
  const written = await publish(
    path,
    { ...publishing, ...(signal === undefined ? {} : { signal }) },
    async (set) => {
      staged = set;
      await using run = await openRun([plan], options);
      if (only !== undefined) await mkdir(set);
      const made = only === undefined ? set : join(set, only);
      const result = await run.session.write(await run.prepared(plan), { ...target, path: made }, run.query);
      await run.finished();
      return result;
    },
  );
  return { rows: written.rows, files: placed(written, staged, resolve(path)) };
}

/** The files where they lie in the end. */
function placed({ files }: WrittenFiles, staged: string, path: string): readonly WrittenFile[] {
  return files.map((file) => ({ ...file, path: join(path, relative(staged, resolve(staged, file.path))) }));
}

function runOptions<O extends FrameRunOptions>(options: O): FrameRunOptions {
  const given = Object.entries(options).filter(([name]) => Object.hasOwn(RUN_OPTIONS, name));
  return Object.fromEntries(given);
}

function assertLocal(path: unknown, what: string): void {
  if (typeof path !== "string" || path === "")
    throw new PawlError("data.target", `${what}() needs the path to write to, not ${shown(path)}.`);
  if (isUrl(path))
    throw new PawlError(
      "data.target",
      `${what}() writes to this machine, since files in a bucket cannot become visible all at once: write to a folder, then copy it with pawl copy.`,
    );
}

function isDelimiter(text: string): boolean {
  return text.length === 1 && text > "\0" && text <= "\x7f" && !'"\r\n'.includes(text);
}

function assertFlags(flags: Readonly<Record<string, unknown>>, what: string): void {
  for (const [name, value] of Object.entries(flags))
    if (typeof value !== "boolean")
      throw new PawlError("data.argument", `The ${name} of ${what}() is true or false, not ${shown(value)}.`);
}

function assertChoice(value: unknown, choices: ReadonlySet<unknown>, name: string, what: string): void {
  if (choices.has(value)) return;
  throw new PawlError(
    "data.argument",
    `The ${name} of ${what}() is one of ${[...choices].join(", ")}, not ${shown(value)}.`,
  );
}

function repeated(names: readonly string[]): string {
  return names.find((name, index) => names.indexOf(name) < index) ?? "";
}
