import { statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertOptions, type OptionNames, quoted, shown } from "../../../arguments.ts";
import { PawlError } from "../../../errors.ts";
import { suggest } from "../../../near-names.ts";
import { Frame } from "../../frame/frame.ts";
import type { RunnableStage, StageContext, StagedFiles } from "../../frame/stage.ts";
import { RunFolder } from "../../parts/run-folder.ts";
import type { PlanNode, StagedNode } from "../../plan/node.ts";
import * as type from "../../schema/column-type.ts";
import {
  type ColumnField,
  type ColumnType,
  type FrameSchema,
  fieldsOf,
  typeText,
} from "../../schema/column-type.ts";
import { findDataFiles } from "../locations.ts";
import { RemoteBuckets } from "../remote-buckets.ts";
import { type StagedFile, stageWhole } from "../stage-files.ts";
import { StagedRows } from "../staged-rows.ts";
import { StagingArea } from "../staging-area.ts";
import { type Cell, type CellValue, columnLetters, momentOf, type SheetRow } from "./cell.ts";
import { cellText, isOfSheets } from "./cell-text.ts";
import { Workbook } from "./workbook.ts";

/** How a sheet is read. */
export interface ExcelOptions {
  /**
   * The name of the sheet, or its number from 1.
   * @default 1
   */
  readonly sheet?: string | number;
  /**
   * Whether the first row that holds something names the columns; otherwise they are called by their letters: `A`, `B` …
   * @default true
   */
  readonly header?: boolean;
  /**
   * Rows of the sheet, from its first one, that are left out before that.
   * @default 0
   */
  readonly skip?: number;
}

const NAMES: OptionNames<ExcelOptions> = { sheet: true, header: true, skip: true };

type Settings = Required<ExcelOptions>;

/** Rows are handed on in pieces of about this size. */
const PIECE_BYTES = 256 * 1024;
const DEFAULT_MEMORY = 256 * 1024 * 1024;

/**
 * The rows of a sheet of Excel workbooks (.xlsx, .xlsm), which are read as they come, however large. Days and moments are told by the
 * formats of their cells; a cell that does not fit its declared type ends the run with its place. Rows without a value are left out.
 * Needs the package `saxes`. `describeExcel` tells the schema of a sheet.
 *
 * @param locations paths, patterns, folders, `s3://`, `az://` or `https://` addresses; several are read one after the other
 * @param schema the columns to read by the names in the header; `text()` takes any cell
 * @throws PawlError `data.schema` for a schema that no sheet can fill; when it runs `data.sheet`, `data.column`, `data.value`, `data.corrupt`
 *
 * @example
 * ```ts
 * const people = readExcel("people.xlsx", { name: text(), born: date().nullable() }, { sheet: "Staff" });
 * const young = people.filter((c) => c.born.gt("2000-01-01"));
 * ```
 */
export function readExcel<const S extends FrameSchema>(
  locations: string | readonly string[],
  schema: S,
  options: ExcelOptions = {},
): Frame<S> {
  const settings = settingsOf(options, "readExcel()");
  const fields = fieldsOf(schema, "readExcel()");
  if (fields.length === 0) throw new PawlError("data.schema", "readExcel() needs at least one column.");
  const unfit = fields.find((field) => !isOfSheets(field.type.kind));
  if (unfit !== undefined)
    throw new PawlError(
      "data.schema",
      `The column ${JSON.stringify(unfit.name)} is ${typeText(unfit.type.notNull())}, which no cell of a sheet holds: declare text().`,
    );
  const given = typeof locations === "string" ? [locations] : [...locations];
  const node: StagedNode = {
    kind: "staged",
    name: `readExcel ${given.map(withoutQuery).join(", ")}`,
    inputs: [],
    stage: new ExcelStage(given, fields, settings),
    fields,
  };
  return new Frame(node);
}

/**
 * The columns of a sheet, with types that hold all of their values: it is read to its end for that. Columns with values of several kinds
 * are text.
 *
 * @param location one workbook
 * @throws PawlError as `readExcel`
 *
 * @example
 * ```ts
 * for (const { name, type } of await describeExcel("people.xlsx")) console.log(name, type.kind);
 * ```
 */
export async function describeExcel(
  location: string,
  options: ExcelOptions = {},
): Promise<readonly ColumnField[]> {
  const settings = settingsOf(options, "describeExcel()");
  const { signal } = new AbortController();
  await using folder = RunFolder.create(tmpdir());
  const area = new StagingArea(folder.path, null);
  const [file] = await localFiles([location], area, DEFAULT_MEMORY, signal);
  const { path, name } = file as StagedFile;
  await using workbook = await Workbook.open(path, name, DEFAULT_MEMORY);
  return await describeSheet(workbook, workbook.sheetName(settings.sheet), settings, signal);
}

/** The names of the sheets of a workbook, in order. Errors as `readExcel`. */
export async function sheetNames(path: string): Promise<readonly string[]> {
  await using workbook = await Workbook.open(path, path, DEFAULT_MEMORY);
  return workbook.sheetNames;
}

function settingsOf(options: ExcelOptions, what: string): Settings {
  assertOptions(options, NAMES, what);
  const { sheet = 1, header = true, skip = 0 } = options;
  const isSheet = typeof sheet === "string" ? sheet !== "" : Number.isInteger(sheet) && sheet >= 1;
  if (!isSheet)
    throw new PawlError(
      "data.sheet",
      `\`sheet\` is the name of a sheet or its number from 1, not ${quoted(sheet)}.`,
    );
  if (typeof header !== "boolean")
    throw new PawlError("argument.option", `\`header\` of ${what} is true or false, not ${shown(header)}.`);
  if (!Number.isInteger(skip) || skip < 0)
    throw new PawlError("argument.option", `\`skip\` of ${what} is a number of rows, not ${shown(skip)}.`);
  return { sheet, header, skip };
}

function withoutQuery(location: string): string {
  return /^https?:/i.test(location)
    ? location.replace(/\?.*$/s, "?…").replace(/\/\/[^/@]*@/, "//")
    : location;
}

async function localFiles(
  locations: readonly string[],
  area: StagingArea,
  memory: number,
  signal: AbortSignal,
): Promise<readonly StagedFile[]> {
  await using buckets = new RemoteBuckets(null);
  const files = await findDataFiles(locations, { cwd: process.cwd(), format: "excel", buckets, signal });
  return await stageWhole(files, { area, buckets, memory, signal });
}

/** Reads sheets into Parquet before the engine runs. */
class ExcelStage implements RunnableStage {
  readonly identity: string;
  readonly #locations: readonly string[];
  readonly #fields: readonly ColumnField[];
  readonly #settings: Settings;

  constructor(locations: readonly string[], fields: readonly ColumnField[], settings: Settings) {
    this.#locations = locations;
    this.#fields = fields;
    this.#settings = settings;
    const columns = fields.map((field) => [field.name, typeText(field.type)]);
    this.identity = JSON.stringify({
      excel: locations,
      versions: locations.map(versionOf),
      columns,
      ...settings,
    });
  }

  async run(_inputs: readonly PlanNode[], context: StageContext): Promise<StagedFiles> {
    const { session, memory, signal } = context;
    const area = new StagingArea(await mkdtemp(join(context.folder, "excel-")), null);
    const files = await localFiles(this.#locations, area, memory, signal);
    const name = this.#locations.map(withoutQuery).join(", ");
    await using staged = new StagedRows({ session, area, fields: this.#fields, name, signal });
    for (const file of files) {
      await using workbook = await Workbook.open(file.path, file.name, memory / 2);
      const sheet = workbook.sheetName(this.#settings.sheet);
      const writer = new SheetWriter(workbook, sheet, this.#fields, staged);
      await readSheet(workbook, sheet, this.#settings, signal, {
        names: (names) => writer.begin(names),
        rows: (rows) => writer.write(rows),
      });
      await writer.end();
    }
    return await staged.finish();
  }
}

/** When a file of this machine was changed; empty for any other location. */
function versionOf(location: string): string {
  const found = statSync(location, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? "" : `${found.size} ${found.mtimeNs}`;
}

interface SheetReader {
  /** Called once, before any row. */
  names(names: readonly string[]): void;
  rows(rows: readonly SheetRow[]): Promise<void> | void;
}

/** Reads a sheet: the names of its columns, and then its rows. */
async function readSheet(
  workbook: Workbook,
  sheet: string,
  { header, skip }: Settings,
  signal: AbortSignal,
  reader: SheetReader,
): Promise<void> {
  let isBegun = false;
  for await (const rows of workbook.rows(sheet, signal)) {
    const wanted = rows.filter(({ number }) => number > skip);
    const [first] = wanted;
    if (first === undefined) continue;
    if (isBegun) await reader.rows(wanted);
    else if (header) {
      reader.names(headerNames(first, workbook.isFrom1904));
      await reader.rows(wanted.slice(1));
    } else {
      reader.names([]);
      await reader.rows(wanted);
    }
    isBegun = true;
  }
  if (!isBegun)
    throw new PawlError(
      "data.sheet",
      `The sheet ${JSON.stringify(sheet)} of ${workbook.name} holds nothing${skip > 0 ? ` after row ${skip}` : ""}: name another one with \`sheet\`.`,
    );
}

/** The names in a header by column. One that comes again gets a number, as in `amount_2`; a column without one is called by its letters. */
function headerNames({ cells }: SheetRow, isFrom1904: boolean): readonly string[] {
  const names: string[] = [];
  const taken = new Set<string>();
  for (const { column, value } of cells) {
    const text = (cellText(value, type.text(), isFrom1904) ?? "").trim();
    if (text === "") continue;
    let name = text;
    for (let n = 2; taken.has(name); n++) name = `${text}_${n}`;
    taken.add(name);
    names[column] = name;
  }
  return Array.from(names, (name) => name ?? "");
}

/** Writes the rows of a sheet as those of a CSV. */
class SheetWriter {
  readonly #workbook: Workbook;
  readonly #sheet: string;
  readonly #fields: readonly ColumnField[];
  readonly #staged: StagedRows;
  /** The field of each column of the sheet; undefined of one that is not read. */
  #fieldOf: (number | undefined)[] = [];
  #texts: string[] = [];
  #length = 0;

  constructor(workbook: Workbook, sheet: string, fields: readonly ColumnField[], staged: StagedRows) {
    this.#workbook = workbook;
    this.#sheet = sheet;
    this.#fields = fields;
    this.#staged = staged;
  }

  begin(names: readonly string[]): void {
    const columns = new Map<string, number>();
    const isNamed = names.length > 0;
    for (let column = 0; column < (isNamed ? names.length : 16_384); column++)
      columns.set((isNamed ? names[column] : "") || columnLetters(column), column);
    for (const [index, { name }] of this.#fields.entries()) {
      const column = columns.get(name);
      if (column === undefined) {
        const known = isNamed ? names.filter((each) => each !== "") : [];
        throw new PawlError(
          "data.column",
          `The sheet ${JSON.stringify(this.#sheet)} of ${this.#workbook.name} has no column ${JSON.stringify(name)}: ${suggest(name, known, isNamed ? `it has ${known.slice(0, 20).join(", ")}.` : "without a header they are called A, B, C and so on.")}`,
        );
      }
      this.#fieldOf[column] = index;
    }
  }

  async write(rows: readonly SheetRow[]): Promise<void> {
    for (const row of rows) {
      this.#add(row);
      if (this.#length >= PIECE_BYTES) await this.end();
    }
  }

  async end(): Promise<void> {
    if (this.#texts.length === 0) return;
    const [bytes, rows] = [Buffer.from(this.#texts.join("")), this.#texts.length];
    this.#texts = [];
    this.#length = 0;
    await this.#staged.write(bytes, rows);
  }

  #add(row: SheetRow): void {
    const values: string[] = Array(this.#fields.length).fill("");
    for (const cell of row.cells) {
      const index = this.#fieldOf[cell.column];
      if (index === undefined) continue;
      const text = cellText(cell.value, (this.#fields[index] as ColumnField).type, this.#workbook.isFrom1904);
      if (text === null) throw this.#unfit(row, cell, this.#fields[index] as ColumnField);
      values[index] = `"${text.replaceAll('"', '""')}"`;
    }
    for (const [index, field] of this.#fields.entries())
      if (values[index] === "" && !field.type.isNullable) throw this.#missing(row, index);
    if (this.#staged.hasFiller) values.push("1");
    const line = `${values.join(",")}\n`;
    this.#texts.push(line);
    this.#length += line.length;
  }

  #place(row: SheetRow, column: number): string {
    return `${this.#workbook.name}, sheet ${JSON.stringify(this.#sheet)}, cell ${columnLetters(column)}${row.number}`;
  }

  #unfit(row: SheetRow, { column, value }: Cell, field: ColumnField): PawlError {
    return new PawlError(
      "data.value",
      `${this.#place(row, column)} (${JSON.stringify(field.name)}) holds ${shownCell(value, this.#workbook.isFrom1904)}, which ${typeText(field.type.notNull())} does not: correct the cell, or declare text().`,
    );
  }

  #missing(row: SheetRow, index: number): PawlError {
    const column = this.#fieldOf.indexOf(index);
    return new PawlError(
      "data.value",
      `${this.#place(row, column)} (${JSON.stringify((this.#fields[index] as ColumnField).name)}) is empty: fill it, or declare the column as nullable().`,
    );
  }
}

function shownCell(value: CellValue, isFrom1904: boolean): string {
  if (value.kind === "error") return value.value;
  if (value.kind !== "number") return quoted(value.value);
  if (value.shown === "number") return `the number ${value.value}`;
  return `the ${value.shown} ${momentOf(value.value, isFrom1904) ?? value.value}`;
}

// --- which types hold the values of a sheet

/** What was seen of a column. */
interface Seen {
  readonly kinds: Set<"int" | "float" | "text" | "bool" | "date" | "moment" | "time" | "error">;
  values: number;
}

async function describeSheet(
  workbook: Workbook,
  sheet: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<readonly ColumnField[]> {
  const columns: Seen[] = [];
  let names: readonly string[] = [];
  let total = 0;
  const seenOf = (column: number): Seen => {
    columns[column] ??= { kinds: new Set(), values: 0 };
    return columns[column] as Seen;
  };
  await readSheet(workbook, sheet, settings, signal, {
    names: (found) => {
      names = found;
      for (const [column, name] of found.entries()) if (name !== "") seenOf(column);
    },
    rows: (rows) => {
      total += rows.length;
      for (const { cells } of rows)
        for (const { column, value } of cells) {
          const seen = seenOf(column);
          seen.values++;
          seen.kinds.add(kindOf(value));
        }
    },
  });
  const fields: ColumnField[] = [];
  for (const [column, seen] of columns.entries()) {
    if (seen === undefined) continue;
    const found = typeOfSeen(seen.kinds);
    fields.push({
      name: names[column] || columnLetters(column),
      type: seen.values < total || seen.values === 0 ? found.nullable() : found,
    });
  }
  return fields;
}

function kindOf(value: CellValue): "int" | "float" | "text" | "bool" | "date" | "moment" | "time" | "error" {
  if (value.kind === "iso") return value.value.includes("T") ? "moment" : "date";
  if (value.kind !== "number") return value.kind;
  if (value.shown !== "number")
    return value.shown === "date" && !Number.isInteger(value.value) ? "moment" : value.shown;
  return Number.isSafeInteger(value.value) ? "int" : "float";
}

function typeOfSeen(kinds: Seen["kinds"]): ColumnType {
  const real = new Set(kinds);
  // What no type holds says nothing of the others.
  real.delete("error");
  const only = (...some: readonly string[]) =>
    real.size > 0 && [...real].every((each) => some.includes(each));
  if (only("int")) return type.int64();
  if (only("int", "float")) return type.float64();
  if (only("bool")) return type.bool();
  if (only("date")) return type.date();
  if (only("date", "moment")) return type.timestamp();
  if (only("time")) return type.time();
  return type.text();
}
