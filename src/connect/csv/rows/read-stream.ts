import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import type { Chunk, Cursor, Pace } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";
import type { CsvRow } from "../contract.ts";
import { type Layout, rulesOf } from "../layout.ts";
import { DecodedStream, type Purpose } from "../open/text-stream.ts";
import type { Place, StreamPart } from "../plan/shard-data.ts";
import { explainQuotes, isQuoteTrouble } from "../scan/quote-errors.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import { chunkOf } from "./chunk.ts";
import { HeldBody, storedBytes } from "./chunk-bytes.ts";

/**
 * Chunks of a stream from a place on. What comes before is decoded again and skipped; on standard input it must be
 * the same as last time. A chunk holds its text, about `pace.bytes` of it, and counts as many bytes as the stored
 * form of it took, so that progress is honest for packed files. Errors: `csv.other-input` and those of reading.
 */
export async function* readStream(
  part: StreamPart,
  layout: Layout,
  from: Place,
  pace: Pace,
  signal: AbortSignal,
  stdin: Readable | null,
  purpose: Purpose = "read",
): AsyncGenerator<Chunk<CsvRow>> {
  try {
    yield* chunksOf(part, layout, from, pace, signal, stdin, purpose);
  } catch (error) {
    if (part.pipe || !isQuoteTrouble(error)) throw error;
    const text = new DecodedStream(part, part.encoding, "look", null);
    throw await explainQuotes(behind(text, part.offset), layout, part, signal);
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
  layout: Layout,
  from: Place,
  pace: Pace,
  signal: AbortSignal,
  stdin: Readable | null,
  purpose: Purpose,
): AsyncGenerator<Chunk<CsvRow>> {
  const stream = new DecodedStream(part, part.encoding, purpose, stdin);
  const scanner = new RecordScanner(rulesOf(layout, part.newline, part.name), from.at, from.line);
  let parts: Buffer[] = [];
  let start = from.at;
  let line = from.line;
  let stored = from.stored ?? 0;
  let crc = 0;
  let base = 0;
  const chunk = (all: boolean) => {
    const consumed = all && !part.pipe ? storedBytes(part) : Math.max(stored, stream.consumed);
    const end = { part: from.part, at: scanner.recordStart, line: scanner.line, stored: consumed };
    const made = chunkOf({
      body: new HeldBody(parts),
      layout,
      newline: part.newline,
      features: scanner.features,
      items: scanner.records,
      bytes: consumed - stored,
      end: (part.pipe ? { ...end, crc } : end) satisfies Cursor,
      name: part.name,
      order: part.order,
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

function checkSame(from: Place, crc: number, name: string): void {
  if (from.crc !== undefined && from.crc !== crc) refuseOther(name);
}

function refuseOther(name: string): never {
  throw new PawlError(
    "csv.other-input",
    `${name} is not what it was when this load began: give the same input again, or start over with --restart.`,
  );
}
