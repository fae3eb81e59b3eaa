import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import type { Chunk, ChunkSize, Cursor } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import type { CsvRow } from "../contract.ts";
import { storedBytes } from "../open/read-blocks.ts";
import { type Purpose, TextStream } from "../open/text-stream.ts";
import type { RecordPosition, StreamPart } from "../plan/shard-data.ts";
import type { CsvLayout } from "../record-layout.ts";
import { explainQuotes, isQuoteError } from "../scan/quote-errors.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import { ChunkSource, chunkOf } from "./chunk.ts";
import { HeldBytes } from "./chunk-bytes.ts";

/** How a stream is read. */
export interface StreamReading {
  readonly pace: ChunkSize;
  readonly signal: AbortSignal;
  /** What the path `-` reads; null for the standard input of the process. */
  readonly stdin: Readable | null;
  readonly purpose: Purpose;
}

/**
 * Chunks of a stream from a position on. What comes before is decoded again and skipped; on standard input it must be
 * the same as last time. A chunk holds its text, about `pace.bytes` of it, and counts as many bytes as the stored
 * form of it took, so that progress is honest for packed files. Errors: `csv.other-input` and those of reading.
 */
export async function* readStream(
  part: StreamPart,
  layout: CsvLayout,
  from: RecordPosition,
  reading: StreamReading,
): AsyncGenerator<Chunk<CsvRow>> {
  try {
    yield* chunksOf(part, layout, from, reading);
  } catch (error) {
    if (part.pipe || !isQuoteError(error)) throw error;
    const text = new TextStream(part, part.encoding, "peek", null);
    throw await explainQuotes(behind(text, part.offset), layout, part, reading.signal);
  }
}

async function* behind(text: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer> {
  let left = offset;
  for await (const piece of text) {
    yield piece.subarray(left);
    left = Math.max(0, left - piece.length);
  }
}

async function* chunksOf(
  part: StreamPart,
  layout: CsvLayout,
  from: RecordPosition,
  { pace, signal, stdin, purpose }: StreamReading,
): AsyncGenerator<Chunk<CsvRow>> {
  const source = new ChunkSource(layout, part);
  const stream = new TextStream(part, part.encoding, purpose, stdin);
  const scanner = new RecordScanner(source.rules, from.at, from.line);
  let parts: Buffer[] = [];
  let start = from.at;
  let line = from.line;
  let stored = from.stored ?? 0;
  let crc = 0;
  let base = 0;
  const chunk = (all: boolean) => {
    const consumed = all && !part.pipe ? storedBytes(part) : Math.max(stored, stream.consumed);
    const end = { part: from.part, at: scanner.recordStart, line: scanner.line, stored: consumed };
    const made = chunkOf(source, {
      content: new HeldBytes(parts),
      features: scanner.features,
      items: scanner.records,
      bytes: consumed - stored,
      end: (part.pipe ? { ...end, crc } : end) satisfies Cursor,
      line,
    });
    parts = [];
    start = scanner.recordStart;
    line = scanner.line;
    stored = consumed;
    scanner.reset();
    return made;
  };
  for await (const piece of stream) {
    signal.throwIfAborted();
    const skip = Math.min(piece.length, Math.max(0, from.at - base));
    if (skip > 0 && part.pipe) crc = crc32(piece.subarray(0, skip), crc);
    if (base < from.at && base + skip === from.at) checkSame(from, crc, part.name);
    let at = skip;
    while (at < piece.length) {
      const begin = at;
      at = scanner.scan(piece, at, piece.length, base, start + pace.bytes, Math.max(1, pace.items));
      const bytes = piece.subarray(begin, at);
      parts.push(bytes);
      if (part.pipe) crc = crc32(bytes, crc);
      const full = scanner.records >= pace.items || scanner.recordStart - start >= pace.bytes;
      if (full && scanner.records > 0 && scanner.recordStart === base + at) yield chunk(false);
    }
    base += piece.length;
  }
  if (base < from.at) refuseOther(part.name);
  scanner.finish(base);
  if (scanner.records > 0) yield chunk(true);
}

function checkSame(from: RecordPosition, crc: number, name: string): void {
  if (from.crc !== undefined && from.crc !== crc) refuseOther(name);
}

function refuseOther(name: string): never {
  throw new PawlError(
    "csv.other-input",
    `${name} is not what it was when this load began: give the same input again, or start over with \`restart\`.`,
  );
}
