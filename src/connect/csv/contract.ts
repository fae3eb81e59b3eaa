import type { Chunk, ChunkSize, Cursor, Shard, Source } from "../../batch/contract.ts";
import type { ItemError } from "../../errors.ts";
import type { QuarantineRecord } from "../../store/contract.ts";

/** How the bytes of a chunk have to be read. They are UTF-8, whatever the encoding of the file. */
export interface CsvDialect {
  /** One ASCII character. */
  readonly delimiter: string;
  /** One ASCII character; inside quotes it is doubled. Empty where no character quotes. */
  readonly quote: string;
  /** An unquoted value equal to this is null; where several are, the first of them. */
  readonly nullValue: string;
}

/**
 * A row as a transform gets it: by column name, every value a string or null.
 *
 * @example
 * ```ts
 * import type { CsvRow } from "pawl/connect/csv";
 *
 * const total = (row: CsvRow) => Number(row.price) * Number(row.count ?? 1);
 * ```
 */
export type CsvRow = Record<string, string | null>;

/**
 * A chunk of a CSV whose rows still are bytes, so that a sink that accepts CSV can pass them on untouched: records as
 * PostgreSQL's COPY reads them. Where the file is written in another way, its chunks have rows only. Blank
 * lines are not rows, except in a file of one column; they never stand in these bytes.
 */
export interface CsvChunk extends Chunk<CsvRow> {
  /** The bytes, and how to read them. */
  readonly csv: {
    /** How the bytes have to be read. */
    readonly dialect: CsvDialect;
    /** The names of the fields of each record, in order. */
    readonly columns: readonly string[];
    /**
     * All records with their line ends, without a header, in pieces of any size, each good only until the next is
     * asked for. Each call begins with the first.
     */
    bytes(): AsyncIterable<Buffer>;
    /** The same records one by one, without line ends, some at a time. Each call begins with the first. */
    records(): AsyncIterable<readonly Buffer[]>;
    /** Why one of `records()` is not a row, as `slices()` says it; null for a record that is one. */
    refusal(record: Buffer): ItemError | null;
  };
}

/**
 * Whether a chunk still holds the bytes of a CSV, so that a sink can pass them on without making rows of them.
 *
 * @example
 * ```ts
 * import { type CsvRow, isCsvChunk } from "pawl/connect/csv";
 * import type { Chunk } from "pawl/batch";
 *
 * async function sizeOf(chunk: Chunk<CsvRow>): Promise<number | null> {
 *   if (!isCsvChunk(chunk)) return null;
 *   let bytes = 0;
 *   for await (const piece of chunk.csv.bytes()) bytes += piece.length;
 *   return bytes;
 * }
 * ```
 */
export function isCsvChunk(chunk: Chunk<unknown>): chunk is CsvChunk {
  return "csv" in chunk;
}

/** What `csv()` gives: a source whose chunks still are CSV bytes where they can be, which `isCsvChunk` tells. */
export interface CsvSource extends Source<CsvRow> {
  /** The rows of a shard from a cursor on, in chunks of about this size. Each item is a row, or the error of a record that is not one. */
  read(
    shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncIterable<Chunk<CsvRow>>;
  /** A source of quarantined records of these files, which are read again by the same options. */
  replay(items: () => AsyncIterable<QuarantineRecord>): CsvSource;
}
