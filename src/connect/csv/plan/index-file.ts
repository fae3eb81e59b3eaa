import { readBlocks } from "../open/read-blocks.ts";
import { type RecordLayout, rulesOf } from "../record-layout.ts";
import { explainQuotes, isQuoteError } from "../scan/quote-errors.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import type { RangePart } from "./shard-data.ts";

const BLOCK = 1024 * 1024;

export interface IndexOptions {
  readonly signal: AbortSignal;
  /** About how many bytes a block of the index covers; it ends with the record that reaches them. */
  readonly indexBlockBytes: number;
  /** The offset of a record at which to stop. @default the end of the file */
  readonly end?: number;
  /** Is called with the bytes since the last call. */
  readonly onProgress?: (bytes: number) => void;
  /** Is called with all records, as spans of a buffer. */
  readonly onRecords?: (buffer: Buffer, scanner: RecordScanner, base: number) => void;
  /** Is called between blocks. */
  readonly between?: () => Promise<void>;
}

/**
 * Finds the boundaries of all records of a plain file in one pass and bounded memory, and returns the part with its
 * index. A wrong quote is explained from the whole file, which the scan up to it cannot know.
 * Errors: those of `RecordScanner`, `csv.changed`.
 */
export async function indexFile(
  part: RangePart,
  layout: RecordLayout,
  options: IndexOptions,
): Promise<RangePart> {
  try {
    return await indexed(part, layout, options);
  } catch (error) {
    if (!isQuoteError(error)) throw error;
    throw await explainQuotes(textOf(part), layout, part, options.signal);
  }
}

async function* textOf(part: RangePart): AsyncGenerator<Buffer> {
  for await (const { buffer } of readBlocks(part, { start: part.offset, end: part.size, blockBytes: BLOCK }))
    yield buffer;
}

async function indexed(part: RangePart, layout: RecordLayout, options: IndexOptions): Promise<RangePart> {
  const { onRecords, signal, indexBlockBytes, end = part.size } = options;
  const rules = rulesOf(layout, part.newline, part.name);
  const scanner = new RecordScanner(rules, part.offset, part.line, onRecords !== undefined);
  const blocks: number[] = [];
  let start = part.offset;
  const close = () => {
    const { recordStart, records, lines, features } = scanner;
    blocks.push(recordStart - start, records, lines - records, features);
    start = recordStart;
    scanner.reset();
  };
  let seen = part.offset;
  const range = { start: part.offset, end, blockBytes: BLOCK };
  // Keys are read from whole records; to find boundaries alone, nothing of a block has to be kept.
  const keep = onRecords && (() => seen - scanner.recordStart);
  for await (const { buffer, from, to, base } of readBlocks(part, keep ? { ...range, keep } : range)) {
    signal.throwIfAborted();
    for (let at = from; at < to; ) {
      at = scanner.scan(buffer, at, to, base, start + indexBlockBytes);
      onRecords?.(buffer, scanner, base);
      if (scanner.recordStart - start >= indexBlockBytes) close();
    }
    seen = base + to;
    if (seen === end && end === part.size) {
      scanner.finish(seen, base);
      onRecords?.(buffer, scanner, base);
    }
    options.onProgress?.(seen - (base + from));
    await options.between?.();
  }
  if (scanner.recordStart > start) close();
  return { ...part, blocks };
}
