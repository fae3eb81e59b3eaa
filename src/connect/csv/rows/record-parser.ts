import type { CsvDialect } from "../contract.ts";

/** Where the last parsed record ended: the offset after its line end. Kept out of the result to spare an object a row. */
export interface RecordEnd {
  at: number;
}

/**
 * Splits the record that starts at `from` into `values`, toggling quoting at each quote as PostgreSQL does:
 * `a"b,"c` is the one value `ab,c`. Returns the number of fields, which may be more than `values` has room for.
 */
export function splitRecord(
  text: string,
  from: number,
  newline: string,
  dialect: CsvDialect,
  values: (string | null)[],
  end: RecordEnd,
): number {
  const { delimiter, quote, nullText } = dialect;
  const length = text.length;
  let at = from;
  let fields = 0;
  for (;;) {
    let value = "";
    let quoted = false;
    let plain = at;
    let last = true;
    for (; at < length; at++) {
      const character = text[at];
      if (character === delimiter || character === newline) {
        last = character === newline;
        break;
      }
      if (character !== quote) continue;
      value += text.slice(plain, at);
      quoted = true;
      // Inside quotes: up to the quote that is not doubled, cut out at once, because a rope of pieces is slow.
      const open = at + 1;
      let close = text.indexOf(quote, open);
      let doubled = false;
      while (close !== -1 && text[close + 1] === quote) {
        doubled = true;
        close = text.indexOf(quote, close + 2);
      }
      at = close === -1 ? length : close;
      const inner = text.slice(open, at);
      value += doubled ? inner.replaceAll(quote + quote, quote) : inner;
      plain = at + 1;
    }
    let stop = Math.min(at, length);
    if (last && newline === "\n" && stop > plain && text[stop - 1] === "\r") stop--;
    if (plain < stop) value += text.slice(plain, stop);
    values[fields++] = !quoted && value === nullText ? null : value;
    at++;
    if (last) break;
  }
  end.at = at;
  return fields;
}

/**
 * The values of one record without its line end, given as UTF-8 bytes; null where an unquoted value equals the null
 * text. Bytes that are not valid UTF-8 become U+FFFD.
 */
export function parseRecord(record: Uint8Array, dialect: CsvDialect): (string | null)[] {
  const text = Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString("utf8");
  const values: (string | null)[] = [];
  // The record is whole, so that no character ends it: a record never holds an unquoted line end of its own kind.
  splitRecord(text, 0, "", dialect, values, { at: 0 });
  return values;
}
