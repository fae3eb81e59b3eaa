/**
 * What an engine of frames does. Above this file nothing knows which one it is; each implements it in a folder of its own and proves
 * itself with one conformance suite.
 */
import type { PlanNode } from "../plan/node.ts";
import type { ColumnField } from "../schema/column-type.ts";

/** An engine that is not in use yet. */
export interface Engine {
  /** For people: `DuckDB`. */
  readonly name: string;
  /** Begins a run. Rejects with a PawlError where the engine cannot be had: the sentence names what to install. */
  open(options: EngineOptions): Promise<EngineSession>;
}

/** What a run may use. */
export interface EngineOptions {
  /** Bytes of memory of the engine alone: the caller has taken off what the program, buffers and workers need. */
  readonly memory: number;
  /** Where it may spill; made by the caller, for its user alone. */
  readonly spillFolder: string;
  /** Bytes it may spill; null where only the disk limits it. */
  readonly spillLimit: number | null;
  /** Threads. */
  readonly threads: number;
}

/** What holds for one query. */
export interface QueryOptions {
  /** Ends the query: it rejects with the signal's reason. A query that was interrupted never ends as if it had succeeded. */
  readonly signal?: AbortSignal;
  /** Told now and then how far the query is, from 0 to 1. */
  readonly onProgress?: (done: number) => void;
  /** Where rows go that do not fit their declared types. Absent: the first one fails the query. */
  readonly onBadRows?: (rows: readonly BadRow[]) => void | Promise<void>;
  /** What the user calls a file, where its path is that of a copy: for errors. */
  readonly nameOf?: (path: string) => string;
}

/** A row of a file that does not fit its declared types. */
export interface BadRow {
  readonly file: string;
  /** From 1; null where the format has no lines. */
  readonly line: number | null;
  readonly column: string | null;
  readonly reason: string;
  /** The line as it stands in the file, as far as it is known. */
  readonly raw: string | null;
}

/** What the scans of a query took in: `read = kept + rejected`, asserted by the engine. */
export interface ScanCounts {
  readonly read: number;
  readonly kept: number;
  readonly rejected: number;
}

/** Rows by column. */
export interface Batch {
  readonly rows: number;
  /** In the order of the plan's fields. */
  readonly columns: readonly BatchColumn[];
}

/**
 * The values of one column of a batch. `values` holds what JavaScript has for the kind: a typed array for numbers (Float64Array,
 * Int32Array, BigInt64Array, …; bool is a Uint8Array of 0 and 1; date an Int32Array of days, time, timestamp and timestamptz a BigInt64Array of microseconds,
 * since 1970 in UTC), and otherwise an array of the values that rows have.
 */
export interface BatchColumn {
  readonly values: BatchValues;
  /** A byte a row: 1 where there is a value, 0 where it is null; null where no row is. */
  readonly valid: Uint8Array | null;
}

/** The values of a column of a batch. */
export type BatchValues =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | readonly unknown[];

/** Files that a query is written into. */
export interface WriteTarget {
  readonly format: "parquet" | "csv" | "jsonl";
  /** A file; with `partitionBy` or `groupsPerFile` a folder. It does not exist yet: publishing it is the caller's. */
  readonly path: string;
  /** Columns whose values become folders such as `year=2024`. */
  readonly partitionBy: readonly string[];
  /** Parquet: how pages are compressed; the others: how the file is. */
  readonly compression: "snappy" | "zstd" | "gzip" | "lz4" | "none";
  /** Rows in a row group of Parquet; null for the engine's own choice. */
  readonly rowGroup: number | null;
  /** Parquet: a folder of files with at most so many row groups each, in the order of the rows. Absent: one file, or one for each partition. */
  readonly groupsPerFile?: number | null;
  /** What the names of files in a folder begin with; absent where the engine may choose. */
  readonly fileName?: string;
  /** CSV: the characters. */
  readonly csv: { readonly delimiter: string; readonly header: boolean; readonly nullText: string } | null;
}

/** What was written. */
export interface WrittenFiles {
  /** Rows of the query, as the engine counted them. */
  readonly rows: number;
  /** Paths below the target, in order; of a file, its own. */
  readonly files: readonly { readonly path: string; readonly rows: number; readonly bytes: number }[];
}

/** A step of the engine's plan, for `explain()`. */
export interface ExplainedNode {
  /** What it does: `filter amount > 100`. */
  readonly label: string;
  /** `streams`: row by row. `spills`: holds what fits and writes the rest to disk. `holds`: all that it keeps must fit. */
  readonly memory: "streams" | "spills" | "holds";
  readonly estimatedRows: number | null;
  /** After a run: the rows that it gave, and what they took in memory. */
  readonly rows: number | null;
  readonly bytes: number | null;
  readonly seconds: number | null;
  readonly inputs: readonly ExplainedNode[];
}

/** An engine in use. Queries may run at once. */
export interface EngineSession {
  /** The columns of files, or of a query in SQL, where the user declared none. */
  describe(plan: PlanNode): Promise<readonly ColumnField[]>;
  /** The names of the tables that a query in SQL reads and does not define itself. Rejects where the text is not one query that only reads. */
  tables(sql: string): Promise<readonly string[]>;
  /**
   * The names that such a query mentions, in lower case; those of all columns that it reads are among them. Null where it means columns
   * without naming them, as `*` does.
   */
  mentions(sql: string): Promise<ReadonlySet<string> | null>;
  /**
   * The rows of a plan, counted: it throws unless all of them were delivered. Leaving the loop early ends the query.
   * `counts` resolves at the end.
   */
  batches(plan: PlanNode, options?: QueryOptions): AsyncIterable<Batch>;
  /** Writes the rows of a plan. A query that fails leaves nothing at the path that could be taken for a result. */
  write(plan: PlanNode, target: WriteTarget, options?: QueryOptions): Promise<WrittenFiles>;
  /** What the scans of this session took in so far. */
  scanned(): ScanCounts;
  /** The plan as the engine sees it; with `run`, after it ran. */
  explain(plan: PlanNode, run: boolean, options?: QueryOptions): Promise<ExplainedNode>;
  /** The plan in the engine's own language. */
  sql(plan: PlanNode): string;
  /** Ends all queries and frees what they hold. */
  close(): Promise<void>;
}
