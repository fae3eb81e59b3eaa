import type { FileHandle } from "node:fs/promises";
import { rm, stat } from "node:fs/promises";
import { PawlError } from "../../errors.ts";
import type { EngineSession, WriteTarget } from "../engine/contract.ts";
import type { FileScan, PlanNode } from "../plan/node.ts";
import { type ColumnField, int32 } from "../schema/column-type.ts";
import { type StagingArea, writeAt } from "./staging-area.ts";

/** Rows are handed to the engine in files of this size: while it takes one in, the next one is written. */
const SEGMENT_BYTES = 128 * 1024 * 1024;

/** How the rows come: every value in quotes, and a null as nothing at all. */
const CSV = { delimiter: ",", quote: '"', escape: '"', header: false, nullText: "" } as const;

/** A column without a meaning behind rows of one column: a row that is one null would be a blank line. */
const FILLER: ColumnField = { name: "", type: int32() };

export interface StagedRowsOptions {
  readonly session: EngineSession;
  readonly area: StagingArea;
  /** The columns of the rows. */
  readonly fields: readonly ColumnField[];
  /** Where the rows come from, for people. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * Rows from outside of the engine, of a table or a sheet, made into Parquet files that it can read. Values are the texts that a CSV of
 * their types has: ISO forms of days and moments, `\xFF` for each of some bytes, JSON of lists and structs.
 */
export class StagedRows implements AsyncDisposable {
  readonly #options: StagedRowsOptions;
  readonly #fields: readonly ColumnField[];
  /** Whether rows need the value of `filler` behind their own. */
  readonly hasFiller: boolean;
  #segment: { readonly path: string; readonly file: FileHandle } | null = null;
  #bytes = 0;
  #rowsInSegment = 0;
  #rows = 0;
  readonly #paths: string[] = [];
  #converting: Promise<void> = Promise.resolve();

  constructor(options: StagedRowsOptions) {
    this.#options = options;
    this.hasFiller = options.fields.length <= 1;
    const filler = { ...FILLER, name: freeName(options.fields) };
    this.#fields = this.hasFiller ? [...options.fields, filler] : options.fields;
  }

  /** Takes whole rows, each with its line end. */
  async write(bytes: Buffer, rows: number): Promise<void> {
    const { area, name } = this.#options;
    if (this.#segment === null) {
      const path = await area.path("rows.csv");
      this.#segment = { path, file: await area.create(path) };
    }
    area.reserve(bytes.length, name);
    await writeAt(this.#segment.file, bytes, this.#bytes);
    this.#bytes += bytes.length;
    this.#rowsInSegment += rows;
    if (this.#bytes >= SEGMENT_BYTES) await this.#endSegment();
  }

  /** The files, once all rows have been taken in. Throws where they are not as many as were written. */
  async finish(): Promise<{ readonly paths: readonly string[]; readonly rows: number }> {
    if (this.#segment !== null) await this.#endSegment();
    await this.#converting;
    return { paths: this.#paths, rows: this.#rows };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const segment = this.#segment;
    this.#segment = null;
    await segment?.file.close();
    await this.#converting.catch(() => {});
  }

  async #endSegment(): Promise<void> {
    const segment = this.#segment;
    if (segment === null) return;
    const [bytes, rows] = [this.#bytes, this.#rowsInSegment];
    this.#segment = null;
    this.#bytes = 0;
    this.#rowsInSegment = 0;
    await segment.file.close();
    // One at a time: a writer that is faster than the engine waits here.
    await this.#converting;
    this.#converting = this.#convert(segment.path, bytes, rows);
    // Its failure is reported at the next segment, or at the end.
    this.#converting.catch(() => {});
  }

  async #convert(path: string, bytes: number, rows: number): Promise<void> {
    const { area, session, name, signal } = this.#options;
    const target = await area.path("rows.parquet");
    const written = await session.write(this.#planOf(path), targetOf(target), { signal }).catch((error) => {
      throw withoutPath(error, path, name);
    });
    if (written.rows !== rows)
      throw new PawlError(
        "data.count",
        `Of ${rows} rows of ${name} the engine took in ${written.rows}: this is a fault of Pawl, please report it.`,
      );
    this.#rows += rows;
    this.#paths.push(target);
    area.reserve((await stat(target)).size, name);
    await rm(path);
    area.release(bytes);
  }

  #planOf(path: string): PlanNode {
    const fields = this.#fields;
    const scan: FileScan = {
      kind: "scan",
      format: "csv",
      locations: [path],
      fields,
      hive: [],
      fileColumn: null,
      bad: "fail",
      csv: CSV,
    };
    return scan;
  }
}

/** An error of the engine that speaks of a file which the user has never seen. */
function withoutPath(error: unknown, path: string, name: string): unknown {
  if (!(error instanceof PawlError) || !error.message.includes(path)) return error;
  return new PawlError(error.code, error.message.replaceAll(path, name), { cause: error });
}

function targetOf(path: string): WriteTarget {
  return { format: "parquet", path, partitionBy: [], compression: "snappy", rowGroup: null, csv: null };
}

function freeName(fields: readonly ColumnField[]): string {
  const taken = new Set(fields.map(({ name }) => name.toLowerCase()));
  for (let n = 0; ; n++) if (!taken.has(`pawl_${n}`)) return `pawl_${n}`;
}
