import type { Chunk, ChunkSize } from "../../../batch/contract.ts";
import type { CsvRow } from "../contract.ts";
import { openPlanned, readBlocks } from "../open/read-blocks.ts";
import { type IndexBlock, indexBlocks, type RangePart, type RecordPosition } from "../plan/shard-data.ts";
import type { RecordLayout } from "../record-layout.ts";
import { type RecordRules, RecordScanner } from "../scan/record-scanner.ts";
import { ChunkSource, chunkOf } from "./chunk.ts";
import { FileRange } from "./chunk-bytes.ts";

const BLOCK = 256 * 1024;
const SMALLEST_BLOCK = 4096;

/** Whole records that follow one another and become a chunk. */
interface RecordRange {
  end: number;
  line: number;
  items: number;
  features: number;
}

/**
 * Chunks of an indexed part from a position on. A chunk is whole index blocks while they fit the size, for which no byte is
 * read; else it is cut from one block at the record that reaches it.
 */
export async function* readRange(
  part: RangePart,
  layout: RecordLayout,
  from: RecordPosition,
  size: ChunkSize,
  signal: AbortSignal,
): AsyncGenerator<Chunk<CsvRow>> {
  const source = new ChunkSource(layout, part);
  const blocks = indexBlocks(part);
  let { at, line } = from;
  // Refuses a changed file at once, even where no block has to be read.
  await (await openPlanned(part)).close();
  let next = blocks.findIndex(({ end }) => end > at);
  while (next !== -1 && next < blocks.length) {
    signal.throwIfAborted();
    // The engine changes the numbers at any time; a chunk that is being cut keeps to those it began with.
    const wanted: ChunkSize = { items: size.items, bytes: size.bytes };
    const range: RecordRange = { end: at, line, items: 0, features: 0 };
    for (; next < blocks.length; next++) {
      const block = blocks[next] as IndexBlock;
      const whole = block.start === range.end;
      if (whole && fits(block, range, at, wanted)) add(range, block);
      else if (range.items > 0) break;
      else {
        await cut(part, source.rules, block.end, range, wanted);
        if (range.end < block.end) break;
      }
    }
    if (range.items === 0) return;
    yield chunkOf(source, {
      content: new FileRange(part, at, range.end),
      features: range.features,
      items: range.items,
      bytes: range.end - at,
      end: { part: from.part, at: range.end, line: range.line },
      line,
    });
    at = range.end;
    line = range.line;
  }
}

function fits(block: IndexBlock, range: RecordRange, start: number, size: ChunkSize): boolean {
  return range.items + block.records <= size.items && block.end - start <= size.bytes;
}

function add(range: RecordRange, block: IndexBlock): void {
  range.end = block.end;
  range.items += block.records;
  range.line = block.line + block.lines;
  range.features |= block.features;
}

/** Adds records of one block until the size is reached or the block ends; at least one row if there is any. */
async function cut(
  part: RangePart,
  rules: RecordRules,
  end: number,
  range: RecordRange,
  size: ChunkSize,
): Promise<void> {
  const start = range.end;
  const scanner = new RecordScanner(rules, start, range.line);
  // Blank lines alone fill no chunk: it would have no items, and reading would end here.
  const full = () =>
    scanner.records > 0 && (scanner.records >= size.items || scanner.recordStart - start >= size.bytes);
  let seen = start;
  const blockBytes = Math.min(BLOCK, Math.max(SMALLEST_BLOCK, size.bytes));
  for await (const { buffer, from, to, base } of readBlocks(part, { start, end, blockBytes })) {
    for (let at = from; at < to && !full(); )
      at = scanner.scan(buffer, at, to, base, start + size.bytes, Math.max(1, size.items));
    seen = base + to;
    if (full()) break;
  }
  if (seen === end && end === part.size && !full()) scanner.finish(end);
  range.end = scanner.recordStart;
  range.line += scanner.lines;
  range.items += scanner.records;
  range.features |= scanner.features;
}
