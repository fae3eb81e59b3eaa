import type { Readable } from "node:stream";
import type { Chunk, ChunkSize, Cursor } from "../../../batch/contract.ts";
import type { CsvRow } from "../contract.ts";
import { PipeChecksum, refuseOtherInput } from "../open/pipe.ts";
import { storedBytes } from "../open/planned-file.ts";
import { type Purpose, TextStream } from "../open/text-stream.ts";
import type { RecordPosition, StreamPart } from "../plan/shard-data.ts";
import type { RecordLayout } from "../record-layout.ts";
import { explainQuotes, isQuoteError } from "../scan/quote-errors.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import { ChunkSource, chunkOf } from "./chunk.ts";
import { HeldBytes } from "./chunk-bytes.ts";

/** How a stream is read. */
export interface StreamReading {
  readonly size: ChunkSize;
  readonly signal: AbortSignal;
  /** What the path `-` reads; null for the standard input of the process. */
  readonly stdin: Readable | null;
  readonly purpose: Purpose;
}

/**
 * Chunks of a stream from a position on. What comes before is decoded again and skipped; on standard input it must be
 * the same as last time. A chunk holds its text, about `size.bytes` of it, and counts as many bytes as the stored
 * form of it took, so that progress is honest for packed files. Errors: `csv.other-input` and those of reading.
 */
export async function* readStream(
  part: StreamPart,
  layout: RecordLayout,
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
  layout: RecordLayout,
  from: RecordPosition,
  { size, signal, stdin, purpose }: StreamReading,
): AsyncGenerator<Chunk<CsvRow>> {
  const source = new ChunkSource(layout, part);
  const stream = new TextStream(part, part.encoding, purpose, stdin);
  const scanner = new RecordScanner(source.rules, from.at, from.line);
  let parts: Buffer[] = [];
  let start = from.at;
  let line = from.line;
  let stored = from.stored ?? 0;
  const checksum = part.pipe ? new PipeChecksum(part.name) : null;
  let base = 0;
  const chunk = (all: boolean) => {
    const consumed = all && !part.pipe ? storedBytes(part) : Math.max(stored, stream.consumed);
    const end = { part: from.part, at: scanner.recordStart, line: scanner.line, stored: consumed };
    const made = chunkOf(source, {
      content: new HeldBytes(parts),
      features: scanner.features,
      items: scanner.records,
      bytes: consumed - stored,
      end: (checksum === null ? end : { ...end, crc: checksum.value }) satisfies Cursor,
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
    if (skip > 0) checksum?.add(piece.subarray(0, skip));
    if (base < from.at && base + skip === from.at) checksum?.assertSame(from.crc);
    let at = skip;
    while (at < piece.length) {
      const begin = at;
      at = scanner.scan(piece, at, piece.length, base, start + size.bytes, Math.max(1, size.items));
      const bytes = piece.subarray(begin, at);
      parts.push(bytes);
      checksum?.add(bytes);
      const full = scanner.records >= size.items || scanner.recordStart - start >= size.bytes;
      if (full && scanner.records > 0 && scanner.recordStart === base + at) yield chunk(false);
    }
    base += piece.length;
  }
  if (base < from.at) refuseOtherInput(part.name);
  scanner.finish(base);
  if (scanner.records > 0) yield chunk(true);
}
