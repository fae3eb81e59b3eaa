import type { Layout, Newline } from "../layout.ts";
import { rulesOf } from "../layout.ts";
import { RecordScanner } from "../scan/record-scanner.ts";
import type { Body } from "./chunk-bytes.ts";

const EMPTY = Buffer.alloc(0);

/** The bytes of a body in pieces that each hold whole records, with their line ends. */
export async function* wholeRecords(body: Body, layout: Layout, newline: Newline): AsyncGenerator<Buffer> {
  const scanner = new RecordScanner(rulesOf(layout, newline, ""));
  let carry: Buffer = EMPTY;
  let base = 0;
  for await (const piece of body.pieces()) {
    const bytes = carry.length === 0 ? piece : Buffer.concat([carry, piece]);
    scanner.scan(bytes, carry.length, bytes.length, base);
    const cut = scanner.recordStart - base;
    if (cut > 0) yield bytes.subarray(0, cut);
    carry = bytes.subarray(cut);
    base += cut;
  }
  if (carry.length > 0) yield carry;
}

/** The records of a piece made by `wholeRecords`, without line ends, some thousand at a time; blank lines are left out. */
export function* recordsOf(piece: Buffer, layout: Layout, newline: Newline): Generator<Buffer[]> {
  const scanner = new RecordScanner(rulesOf(layout, newline, ""), 0, 1, true);
  let at = 0;
  while (at < piece.length) {
    at = scanner.scan(piece, at, piece.length, 0);
    if (scanner.spanCount > 0) yield cut(piece, scanner);
  }
  scanner.finish(piece.length);
  if (scanner.spanCount > 0) yield cut(piece, scanner);
}

function cut(piece: Buffer, { spans, spanCount }: RecordScanner): Buffer[] {
  const records = new Array<Buffer>(spanCount);
  for (let index = 0; index < spanCount; index++)
    records[index] = piece.subarray(spans[index * 2], spans[index * 2 + 1]);
  return records;
}

/** The records of a body without line ends, with the lines on which they start; `line` is that of the first byte. */
export async function* linedRecords(
  body: Body,
  layout: Layout,
  newline: Newline,
  line: number,
): AsyncGenerator<{ readonly records: readonly Buffer[]; readonly lines: readonly number[] }> {
  const scanner = new RecordScanner(rulesOf(layout, newline, ""), 0, line, true);
  let carry: Buffer = EMPTY;
  let base = 0;
  const found = (bytes: Buffer) => ({
    records: cut(bytes, scanner),
    lines: [...scanner.spanLines.subarray(0, scanner.spanCount)],
  });
  for await (const piece of body.pieces()) {
    const bytes = carry.length === 0 ? piece : Buffer.concat([carry, piece]);
    for (let at = carry.length; at < bytes.length; ) {
      at = scanner.scan(bytes, at, bytes.length, base);
      if (scanner.spanCount > 0) yield found(bytes);
    }
    const done = scanner.recordStart - base;
    carry = bytes.subarray(done);
    base += done;
  }
  scanner.finish(base + carry.length, base);
  if (scanner.spanCount > 0) yield found(carry);
}

/**
 * A body's records as a strict reader wants them: every one ended by a line feed, no blank lines or comments, dropped
 * fields cut out.
 */
export async function* tidiedRecords(body: Body, layout: Layout, newline: Newline): AsyncGenerator<Buffer[]> {
  for await (const piece of wholeRecords(body, layout, newline))
    for (const records of recordsOf(piece, layout, newline))
      yield records.map((record) => tidied(record, layout));
}

/** One record without line end: dropped fields cut out. */
export function tidied(record: Buffer, layout: Layout): Buffer {
  if (layout.dropped.length === 0) return record;
  const dropped = new Set(layout.dropped);
  const fields = fieldsOf(record, layout).filter((_, index) => !dropped.has(index));
  const delimiter = Buffer.from(layout.dialect.delimiter);
  return Buffer.concat(fields.flatMap((field, index) => (index === 0 ? [field] : [delimiter, field])));
}

/** The fields of a record as they are written, quotes and all. */
function fieldsOf(record: Buffer, layout: Layout): Buffer[] {
  const delimiter = layout.dialect.delimiter.charCodeAt(0);
  const quote = layout.dialect.quote.charCodeAt(0);
  const fields: Buffer[] = [];
  let inside = false;
  let start = 0;
  for (let at = 0; at < record.length; at++) {
    if (record[at] === quote) inside = !inside;
    else if (record[at] === delimiter && !inside) {
      fields.push(record.subarray(start, at));
      start = at + 1;
    }
  }
  fields.push(record.subarray(start));
  return fields;
}
