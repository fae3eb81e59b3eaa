import type { Chunk, ChunkSize, Cursor, Shard, Source } from "../../batch/contract.ts";
import type { ItemError } from "../../errors.ts";
import type { QuarantineRecord } from "../../store/contract.ts";

/** How the bytes of a CSV have to be read. They are UTF-8, whatever the encoding of the file. */
export interface CsvDialect {
  /** One ASCII character. */
  readonly delimiter: string;
  /** One ASCII character; inside quotes it is doubled. Empty where no character quotes. */
  readonly quote: string;
  /** An unquoted value equal to this is null; where several are, the first of them. */
  readonly nullValue: string;
}

/** A row as a transform gets it: by column name, every value a string or null. */
export type CsvRow = Record<string, string | null>;

/**
 * A chunk of a CSV whose rows still are bytes, so that a sink that accepts CSV can pass them on untouched: records as
 * PostgreSQL's COPY reads them. Where the file is written in another way, its chunks have rows only. Blank
 * lines are not rows, except in a file of one column; they never stand in these bytes.
 */
export interface CsvChunk extends Chunk<CsvRow> {
  readonly csv: {
    readonly dialect: CsvDialect;
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

/** A source whose chunks still are CSV bytes where they can be: see `isCsvChunk`. */
export interface CsvSource extends Source<CsvRow> {
  read(
    shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncIterable<Chunk<CsvRow>>;
  replay(items: () => AsyncIterable<QuarantineRecord>): CsvSource;
}
