import type { Chunk, Pace } from "../../../batch/contract.ts";
import type { CsvRow } from "../contract.ts";
import { type Layout, rulesOf } from "../layout.ts";
import { blocksOf } from "../open/block-reader.ts";
import { type Granule, granulesOf, type Place, type RangePart } from "../plan/shard-data.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import { chunkOf } from "./chunk.ts";
import { FileBody, openVersion } from "./chunk-bytes.ts";

const BLOCK = 256 * 1024;

/** A stretch of whole records that becomes a chunk. */
interface Stretch {
  end: number;
  line: number;
  items: number;
  features: number;
}

/**
 * Chunks of a scanned part from a place on. A chunk is whole granules while they fit the pace, which costs no look
 * at the bytes; else it is cut from one granule at the record that reaches the pace.
 */
export async function* readRange(
  part: RangePart,
  layout: Layout,
  from: Place,
  pace: Pace,
  signal: AbortSignal,
): AsyncGenerator<Chunk<CsvRow>> {
  const granules = granulesOf(part);
  let at = from.at;
  let line = from.line;
  // Refuses a changed file at once, even where no granule needs a look.
  await (await openVersion(part)).close();
  let next = granules.findIndex(({ end }) => end > at);
  while (next !== -1 && next < granules.length) {
    signal.throwIfAborted();
    const stretch: Stretch = { end: at, line, items: 0, features: 0 };
    for (; next < granules.length; next++) {
      const granule = granules[next] as Granule;
      const whole = granule.start === stretch.end;
      if (whole && fits(granule, stretch, at, pace)) take(stretch, granule);
      else if (stretch.items > 0) break;
      else {
        await cut(part, layout, granule.end, stretch, pace);
        if (stretch.end < granule.end) break;
      }
    }
    if (stretch.items === 0) return;
    yield chunkOf({
      body: new FileBody(part, at, stretch.end),
      layout,
      newline: part.newline,
      features: stretch.features,
      items: stretch.items,
      bytes: stretch.end - at,
      end: { part: from.part, at: stretch.end, line: stretch.line },
      name: part.name,
      order: part.order,
      line,
    });
    at = stretch.end;
    line = stretch.line;
  }
}

function fits(granule: Granule, stretch: Stretch, start: number, pace: Pace): boolean {
  return stretch.items + granule.records <= pace.items && granule.end - start <= pace.bytes;
}

function take(stretch: Stretch, granule: Granule): void {
  stretch.end = granule.end;
  stretch.items += granule.records;
  stretch.line = granule.line + granule.lines;
  stretch.features |= granule.features;
}

/** Adds records of one granule until the pace is reached or the granule ends; at least one row if there is any. */
async function cut(
  part: RangePart,
  layout: Layout,
  end: number,
  stretch: Stretch,
  pace: Pace,
): Promise<void> {
  const start = stretch.end;
  const scanner = new RecordScanner(rulesOf(layout, part.newline, part.name), start, stretch.line);
  await using handle = await openVersion(part);
  // Blank lines alone fill no chunk: it would have no items, and reading would end here.
  const full = () =>
    scanner.records > 0 && (scanner.records >= pace.items || scanner.recordStart - start >= pace.bytes);
  let seen = start;
  const block = Math.min(BLOCK, Math.max(4096, pace.bytes));
  for await (const { buffer, from, to, base } of blocksOf(handle, { start, end }, block, () => 0)) {
    for (let at = from; at < to && !full(); )
      at = scanner.scan(buffer, at, to, base, start + pace.bytes, Math.max(1, pace.items));
    seen = base + to;
    if (full()) break;
  }
  if (seen === end && end === part.size && !full()) scanner.finish(end);
  stretch.end = scanner.recordStart;
  stretch.line += scanner.lines;
  stretch.items += scanner.records;
  stretch.features |= scanner.features;
}
