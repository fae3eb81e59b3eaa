import { type Layout, rulesOf } from "../layout.ts";
import { blocksOf } from "../open/block-reader.ts";
import { changed } from "../open/file-version.ts";
import { openVersion } from "../rows/chunk-bytes.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import type { RangePart } from "./shard-data.ts";

const BLOCK = 1024 * 1024;

export interface ScanOptions {
  readonly signal: AbortSignal;
  /** About how many bytes a granule has; it ends with the record that reaches them. */
  readonly granuleBytes: number;
  /** Where to stop; default the end of the file. The place of a record's start. */
  readonly end?: number;
  /** Bytes since the last call. */
  readonly onProgress?: (bytes: number) => void;
  /** Sees all records, as spans of a buffer. */
  readonly onRecords?: (buffer: Buffer, scanner: RecordScanner, base: number) => void;
  /** Called between blocks. */
  readonly between?: () => Promise<void>;
}

/**
 * Finds the true boundaries of all records of a plain file in one pass and bounded memory, and returns the part with its
 * table of granules. Errors: those of `RecordScanner`, `csv.changed`.
 */
export async function scanFile(part: RangePart, layout: Layout, options: ScanOptions): Promise<RangePart> {
  const { onRecords, signal, granuleBytes } = options;
  const end = options.end ?? part.size;
  const scanner = new RecordScanner(
    rulesOf(layout, part.newline, part.name),
    part.offset,
    part.line,
    onRecords !== undefined,
  );
  const granules: number[] = [];
  let start = part.offset;
  const close = () => {
    granules.push(
      scanner.recordStart - start,
      scanner.records,
      scanner.lines - scanner.records,
      scanner.features,
    );
    start = scanner.recordStart;
    scanner.reset();
  };
  await using handle = await openVersion(part);
  let seen = part.offset;
  const range = { start: part.offset, end };
  // Keys are read from whole records; to find boundaries alone, nothing of a block need be kept.
  const keep = () => (onRecords ? seen - scanner.recordStart : 0);
  for await (const { buffer, from, to, base } of blocksOf(handle, range, BLOCK, keep)) {
    signal.throwIfAborted();
    for (let at = from; at < to; ) {
      at = scanner.scan(buffer, at, to, base, start + granuleBytes);
      onRecords?.(buffer, scanner, base);
      if (scanner.recordStart - start >= granuleBytes) close();
    }
    seen = base + to;
    if (seen === end && end === part.size) {
      scanner.finish(seen, base);
      onRecords?.(buffer, scanner, base);
    }
    options.onProgress?.(seen - (base + from));
    await options.between?.();
  }
  if (seen !== end) changed(part.name);
  if (scanner.recordStart > start) close();
  return { ...part, granules };
}
