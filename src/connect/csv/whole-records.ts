import type { Body } from "./body.ts";
import type { Layout, Newline } from "./layout.ts";
import { rulesOf } from "./layout.ts";
import { ODD_RETURNS, RecordScanner } from "./record-scanner.ts";

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

/**
 * A body's records as a strict reader wants them: every one ended by a line feed, no blank lines, dropped fields
 * cut out, and a field with a stray carriage return quoted.
 */
export async function* tidiedRecords(
  body: Body,
  layout: Layout,
  newline: Newline,
  features: number,
): AsyncGenerator<Buffer[]> {
  const odd = (features & ODD_RETURNS) !== 0;
  for await (const piece of wholeRecords(body, layout, newline))
    for (const records of recordsOf(piece, layout, newline))
      yield records.map((record) => tidied(record, layout, odd));
}

/** One record without line end: dropped fields cut out, stray carriage returns quoted. */
export function tidied(record: Buffer, layout: Layout, odd: boolean): Buffer {
  const quoting = odd && record.includes(13);
  if (layout.dropped.length === 0 && !quoting) return record;
  const fields = fieldsOf(record, layout).filter((_, index) => !layout.dropped.includes(index));
  const delimiter = Buffer.from(layout.dialect.delimiter);
  const parts = fields.flatMap((field, index) => {
    const kept = quoting && field.includes(13) ? quoted(field, layout) : field;
    return index === 0 ? [kept] : [delimiter, kept];
  });
  return Buffer.concat(parts);
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

/** Quotes each run of unquoted text of a field; what is quoted already stays. */
function quoted(field: Buffer, layout: Layout): Buffer {
  const quote = layout.dialect.quote;
  // Toggling rules: inside is what stands between an odd and an even quote. latin1 keeps every byte as it is.
  const text = field.toString("latin1");
  let value = "";
  let inside = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character !== quote) value += character;
    else if (inside && text[at + 1] === quote) {
      value += quote + quote;
      at++;
    } else inside = !inside;
  }
  return Buffer.from(quote + value + quote, "latin1");
}
