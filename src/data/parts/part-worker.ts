/**
 * What a worker does with one part of the rows of `mapPartitions`: it reads the columns that the function wants, calls it with
 * partitions of so many rows, and writes the part with the new columns as a Parquet file. Columns that the function does not want never
 * leave the engine.
 */

import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { setOwn } from "../../own.ts";
import { callable, get, type ItemContext, type Ref } from "../../pool/index.ts";
import { type FunctionReference, resolveReference } from "../../pool/internal.ts";
import type { Batch, BatchColumn } from "../engine/contract.ts";
import { AppendedTable } from "../engine/duckdb/append.ts";
import { batchOf } from "../engine/duckdb/batch.ts";
import { connect, openInstance } from "../engine/duckdb/open.ts";
import { quoteName, quoteText } from "../engine/duckdb/quote.ts";
import { readerOf } from "../frame/rows.ts";
import type { ColumnField, ColumnType, Kind } from "../schema/column-type.ts";
import { ARRAYS, givenBatch } from "./partition.ts";

/** One part, as it is sent to a worker. */
export interface PartJob {
  /** Of the stage, unlike any other: what `init` made is kept by it. */
  readonly stage: string;
  /** For people: `mapPartitions score`. */
  readonly name: string;
  readonly function: FunctionReference;
  readonly init: FunctionReference | null;
  readonly broadcast: Ref<Readonly<Record<string, unknown>>>;
  /** The file with all rows. */
  readonly input: string;
  /** The part's rows in it. */
  readonly first: number;
  readonly rows: number;
  readonly part: number;
  /** Rows of a partition. */
  readonly partitionRows: number;
  /** The columns of the file, which are called `c0`, `c1` … there. */
  readonly columns: readonly ColumnField[];
  /** The names of those that the function is given. */
  readonly read: readonly string[];
  /** The columns that the function gives. */
  readonly output: readonly ColumnField[];
  /** The names of the result's columns, in order. */
  readonly result: readonly string[];
  /** Where the part is published, under a name that says its counts. */
  readonly folder: string;
  /** Where the rows of partitions go whose function throws; null: the first one fails the part. */
  readonly quarantine: string | null;
  /** Bytes for the engine of the worker. */
  readonly memory: number;
}

/** What became of the rows of a part: `read = written + dropped + quarantined`. */
export interface PartResult {
  readonly part: number;
  readonly file: string;
  readonly read: number;
  readonly written: number;
  readonly dropped: number;
  readonly quarantined: number;
}

/** What a function of `mapPartitions` may take after the columns. */
export interface PartitionContext<
  B extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>,
  Init = unknown,
> {
  /** How many rows the partition has. */
  readonly rows: number;
  /** What was broadcast, the same objects for every call in a worker. Look at them, do not change them. */
  readonly broadcast: B;
  /** What `init` returned in this worker. */
  readonly init: Init;
  /** Aborts when the run is over before its end. */
  readonly signal: AbortSignal;
  /** Says which rows are kept: one value a row, true (or 1) where it is. Those that are not are counted as dropped. */
  keep(rows: ArrayLike<boolean | number>): void;
}

type UserFunction = (columns: object, context: PartitionContext) => unknown;

/** Instances of the engine, one a worker and size of memory. */
const instances = new Map<number, Promise<DuckDBInstance>>();
/** What functions' `init` made in this worker, by stage. */
const initialized = new Map<string, Promise<unknown>>();

/** Works on one part. */
export const runPart = callable(
  import.meta,
  async (job: PartJob, { signal }: Pick<ItemContext, "signal">): Promise<PartResult> => {
    const fn = (await resolveReference(job.function)) as UserFunction;
    const broadcast = get(job.broadcast) as Readonly<Record<string, unknown>>;
    const init = await initOf(job, broadcast);
    const connection = await connect(await instanceOf(job));
    try {
      const table = await AppendedTable.create(connection, "given", [
        ...job.output,
        { name: "kept", type: { kind: "bool" } as ColumnType },
        { name: "reason", type: { kind: "text" } as ColumnType },
      ]);
      let read = 0;
      let kept = 0;
      let failed = 0;
      for await (const columns of partitions(connection, job)) {
        signal.throwIfAborted();
        const rows = Math.min(job.partitionRows, job.rows - read);
        read += rows;
        const batch = await called(fn, columns, rows, { job, broadcast, init, signal });
        table.append(batch.batch);
        kept += batch.kept;
        failed += batch.failed;
      }
      table.close();
      assertCount(read, job.rows, job);
      const file = join(job.folder, `part-${job.part}-of-${job.rows}-kept-${kept}-failed-${failed}.parquet`);
      const joined = `${inputSql(job)} AS input POSITIONAL JOIN "given"`;
      if (failed > 0 && job.quarantine !== null) {
        const reason = `given.c${job.output.length + 1}`;
        const all = job.columns.map(({ name }, index) => `input.c${index} AS ${quoteName(name)}`);
        await publish(
          connection,
          `SELECT ${all.join(", ")}, ${reason} AS ${quoteName(unusedName("reason", job.columns))} FROM ${joined} WHERE ${reason} IS NOT NULL`,
          join(job.quarantine, `${job.stage}-part-${job.part}.parquet`),
          failed,
          job,
        );
      }
      const made = new Map(job.output.map((field, index) => [field.name, table.columns[index] ?? ""]));
      const select = job.result.map(
        (name) => made.get(name) ?? `input.${columnOf(name, job)} AS ${quoteName(name)}`,
      );
      await publish(
        connection,
        `SELECT ${select.join(", ")} FROM ${joined} WHERE given.c${job.output.length}`,
        file,
        kept,
        job,
      );
      return {
        part: job.part,
        file,
        read,
        written: kept,
        dropped: read - kept - failed,
        quarantined: failed,
      };
    } finally {
      connection.closeSync();
    }
  },
);

async function instanceOf({ memory, folder }: PartJob): Promise<DuckDBInstance> {
  const known = instances.get(memory);
  if (known !== undefined) return await known;
  const opened = openInstance({ memory, spillFolder: folder, spillLimit: null, threads: 1 });
  instances.set(memory, opened);
  return await opened;
}

async function initOf(job: PartJob, broadcast: object): Promise<unknown> {
  if (job.init === null) return undefined;
  const reference = job.init;
  const known = initialized.get(job.stage);
  if (known !== undefined) return await known;
  const made = resolveReference(reference).then((init) => (init as (given: object) => unknown)(broadcast));
  initialized.set(job.stage, made);
  // A failure is not kept: the next part tries again.
  made.catch(() => initialized.delete(job.stage));
  return await made;
}

/** What a column of the input is called in its file. */
function columnOf(name: string, { columns }: PartJob): string {
  return `c${columns.findIndex((field) => field.name === name)}`;
}

/** The rows of the part in the input; the order of a file is kept. */
function inputSql({ input, first, rows }: PartJob): string {
  return `(SELECT * FROM read_parquet(${quoteText(input)}, file_row_number = true) WHERE file_row_number >= ${first} AND file_row_number < ${first + rows})`;
}

/** The columns of each partition of the part, in order. */
async function* partitions(
  connection: DuckDBConnection,
  job: PartJob,
): AsyncGenerator<object, void, undefined> {
  const fields = job.read.map((name) => job.columns.find((field) => field.name === name) as ColumnField);
  const columns = job.read.map((name) => columnOf(name, job)).join(", ");
  // A stream may end early without an error, which is why the rows are counted.
  const result = await connection.stream(
    `SELECT ${columns === "" ? "1 AS nothing" : columns} FROM ${inputSql(job)}`,
  );
  let held: Batch[] = [];
  let rows = 0;
  let seen = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    let batch = batchOf(chunk, fields);
    seen += batch.rows;
    while (rows + batch.rows >= job.partitionRows) {
      const taken = job.partitionRows - rows;
      yield partitionOf([...held, sliced(batch, 0, taken)], fields);
      batch = sliced(batch, taken, batch.rows);
      held = [];
      rows = 0;
    }
    if (batch.rows > 0) held.push(batch);
    rows += batch.rows;
  }
  assertCount(seen, job.rows, job);
  if (rows > 0) yield partitionOf(held, fields);
}

function sliced({ columns }: Batch, from: number, to: number): Batch {
  return {
    rows: to - from,
    columns: columns.map(({ values, valid }) => ({
      values: (values as Float64Array).slice(from, to),
      valid: valid === null ? null : valid.slice(from, to),
    })),
  };
}

function partitionOf(batches: readonly Batch[], fields: readonly ColumnField[]): object {
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  const made: Record<string, unknown> = {};
  for (const [index, { name, type }] of fields.entries()) {
    const parts = batches.map((batch) => batch.columns[index] as BatchColumn);
    setOwn(made, name, joinedValues(parts, type, rows));
  }
  return made;
}

/** The values of a column of several batches, as `PartitionValues` says. */
function joinedValues(parts: readonly BatchColumn[], type: ColumnType, rows: number): unknown {
  const { kind, isNullable } = type;
  const array = kind === "bool" ? Uint8Array : ARRAYS[kind as Kind];
  if (array !== undefined && !isNullable) {
    const joined = new array(rows as never) as Float64Array;
    let at = 0;
    for (const { values } of parts) {
      joined.set(values as Float64Array, at);
      at += values.length;
    }
    return joined;
  }
  const joined: unknown[] = [];
  for (const part of parts) {
    const value = readerOf(part, type);
    for (let row = 0; row < part.values.length; row++) joined.push(value(row));
  }
  return joined;
}

interface Called {
  readonly job: PartJob;
  readonly broadcast: Readonly<Record<string, unknown>>;
  readonly init: unknown;
  readonly signal: AbortSignal;
}

/** Calls the function with a partition, and checks what it gave. */
async function called(
  fn: UserFunction,
  columns: object,
  rows: number,
  { job, broadcast, init, signal }: Called,
): Promise<{ readonly batch: Batch; readonly kept: number; readonly failed: number }> {
  let mask: Uint8Array | null = null;
  const keep = (given: ArrayLike<boolean | number>) => {
    mask = maskOf(given, rows, job.name);
  };
  try {
    const given = givenBatch(
      await fn(columns, { rows, broadcast, init, signal, keep }),
      job.output,
      rows,
      job.name,
    );
    const kept = mask ?? new Uint8Array(rows).fill(1);
    return {
      batch: { rows, columns: [...given.columns, { values: kept, valid: null }, nothing(rows)] },
      kept: kept.reduce((sum: number, one) => sum + one, 0),
      failed: 0,
    };
  } catch (error) {
    if (job.quarantine === null || signal.aborted) throw failure(error, job);
    const reason = errorReason(error);
    return {
      batch: {
        rows,
        columns: [
          ...job.output.map(() => nothing(rows)),
          { values: new Uint8Array(rows), valid: null },
          { values: new Array(rows).fill(reason), valid: null },
        ],
      },
      kept: 0,
      failed: rows,
    };
  }
}

function failure(error: unknown, { name, part }: PartJob): Error {
  if (error instanceof PawlError && error.code === "data.partition-output") return error;
  return new PawlError("data.partition", `${name} failed in part ${part}: ${errorReason(error)}`, {
    cause: error,
  });
}

function nothing(rows: number): BatchColumn {
  return { values: new Array(rows).fill(null), valid: null };
}

function maskOf(given: ArrayLike<boolean | number>, rows: number, name: string): Uint8Array {
  if (typeof given !== "object" || given === null || given.length !== rows)
    throw new PawlError(
      "data.partition-output",
      `keep() in the function of ${name} needs one value for each of the ${rows} rows.`,
    );
  const mask = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) mask[row] = given[row] === true || given[row] === 1 ? 1 : 0;
  return mask;
}

/** Writes the rows of a query into a file that has its name only when it is whole and holds as many rows as it must. */
async function publish(
  connection: DuckDBConnection,
  query: string,
  file: string,
  rows: number,
  job: PartJob,
): Promise<void> {
  const unfinished = `${file}.unfinished`;
  const result = await connection.run(
    `COPY (${query}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION snappy)`,
  );
  assertCount(result.rowsChanged, rows, job);
  await stat(unfinished);
  await rename(unfinished, file);
}

function assertCount(seen: number, wanted: number, { name, part }: PartJob): void {
  if (seen === wanted) return;
  throw new PawlError(
    "data.partition-count",
    `${name} saw ${seen} rows in part ${part}, which has ${wanted}: nothing of it was kept.`,
  );
}

function unusedName(wanted: string, fields: readonly ColumnField[]): string {
  const taken = new Set(fields.map(({ name }) => name.toLowerCase()));
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}_${number}`;
    if (!taken.has(name)) return name;
  }
}
