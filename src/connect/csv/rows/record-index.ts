import { type Layout, type Newline, rulesOf } from "../layout.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import type { Body } from "./chunk-bytes.ts";

/** Where each record of a body is, without line ends, and on which line of the file it starts. */
export interface RecordIndex {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly lines: Float64Array;
}

/** Scans a body that begins on the given line. */
export async function indexRecords(
  body: Body,
  layout: Layout,
  newline: Newline,
  line: number,
  items: number,
): Promise<RecordIndex> {
  const index = {
    starts: new Float64Array(items),
    ends: new Float64Array(items),
    lines: new Float64Array(items),
  };
  const scanner = new RecordScanner(rulesOf(layout, newline, ""), 0, line, true);
  let known = 0;
  let base = 0;
  const note = () => {
    for (let span = 0; span < scanner.spanCount; span++, known++) {
      index.starts[known] = base + (scanner.spans[span * 2] as number);
      index.ends[known] = base + (scanner.spans[span * 2 + 1] as number);
      index.lines[known] = scanner.spanLines[span] as number;
    }
  };
  for await (const piece of body.pieces()) {
    let at = 0;
    while (at < piece.length) {
      at = scanner.scan(piece, at, piece.length, base);
      note();
    }
    base += piece.length;
  }
  scanner.finish(base, base);
  note();
  return index;
}
