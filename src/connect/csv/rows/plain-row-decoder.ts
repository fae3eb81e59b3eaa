import { isAscii, isUtf8 } from "node:buffer";
import { ItemError } from "../../../errors.ts";
import type { CsvDialect, CsvRow } from "../contract.ts";

/** A row, or the error of the record that is not one. */
export type DecodedRow = CsvRow | ItemError;

/**
 * Turns the bytes of whole plain records, as COPY reads them too, into rows; `RowDecoder` reads all others. The text of a piece is
 * made once and its values are slices of it; a record without quotes is split with `indexOf` alone.
 */
export class PlainRowDecoder {
  readonly #dialect: CsvDialect;
  readonly #columns: readonly string[];
  readonly #newline: string;
  readonly #values: (string | null)[];
  readonly #end: RecordEnd = { at: 0 };
  /** `__proto__` cannot be assigned like other names. */
  readonly #special: boolean;
  #text = "";
  #at = 0;
  #nextQuote = -1;
  #nextDelimiter = -1;

  constructor(dialect: CsvDialect, columns: readonly string[], newline: string) {
    this.#dialect = dialect;
    this.#columns = columns;
    this.#newline = newline;
    this.#values = new Array<string | null>(columns.length).fill(null);
    this.#special = columns.includes("__proto__");
  }

  /** Why these bytes cannot be decoded as a whole, or null. */
  static flaw(bytes: Buffer): ItemError | null {
    if (bytes.includes(0))
      return new ItemError("row contains a NUL byte, which text cannot hold", { code: "csv.bytes" });
    if (!isAscii(bytes) && !isUtf8(bytes))
      return new ItemError("row is not valid UTF-8: give the encoding of the file", { code: "csv.bytes" });
    return null;
  }

  /** Decodes bytes without a flaw, whose rows `fill` then gives. */
  decode(bytes: Buffer): void {
    this.#text = bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
    this.#at = 0;
    this.#nextQuote = -1;
    this.#nextDelimiter = -1;
  }

  /** Adds rows until `rows` has `limit` of them or the bytes are used up. */
  fill(rows: DecodedRow[], limit: number): boolean {
    const text = this.#text;
    const newline = this.#newline;
    const { quote, delimiter, nullValue } = this.#dialect;
    const values = this.#values;
    const width = this.#columns.length;
    const length = text.length;
    let at = this.#at;
    let nextQuote = this.#nextQuote;
    let nextDelimiter = this.#nextDelimiter;
    while (at < length && rows.length < limit) {
      const end = indexOr(text, newline, at, length);
      if (nextQuote < at) nextQuote = indexOr(text, quote, at, length);
      let fields = 0;
      if (nextQuote < end) {
        fields = splitRecord(text, at, newline, this.#dialect, values, this.#end);
        if (fields > width) values.length = width;
        at = this.#end.at;
      } else {
        const stop = end > at && newline === "\n" && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
        for (let from = at; ; from = nextDelimiter + 1) {
          if (nextDelimiter < from) nextDelimiter = indexOr(text, delimiter, from, length);
          const to = Math.min(nextDelimiter, stop);
          if (fields < width) {
            const value = text.substring(from, to);
            values[fields] = value === nullValue ? null : value;
          }
          fields++;
          if (to === stop) break;
        }
        at = end + 1;
      }
      rows.push(fields === width ? this.#row(values) : ragged(fields, width));
    }
    this.#at = at;
    this.#nextQuote = nextQuote;
    this.#nextDelimiter = nextDelimiter;
    return at < length;
  }

  /** Assigning the same names in the same order gives all rows one hidden class, without generating code. */
  #row(values: readonly (string | null)[]): CsvRow {
    const columns = this.#columns;
    if (this.#special) return Object.fromEntries(columns.map((name, index) => [name, values[index] ?? null]));
    const row: CsvRow = {};
    for (let index = 0; index < columns.length; index++)
      row[columns[index] as string] = values[index] as string | null;
    return row;
  }
}

/** Why a record with another number of fields is not a row. */
export function ragged(fields: number, width: number): ItemError {
  const noun = fields === 1 ? "field" : "fields";
  return new ItemError(`row has ${fields} ${noun}, the header has ${width}`, { code: "csv.ragged" });
}

function indexOr(text: string, part: string, from: number, otherwise: number): number {
  const at = text.indexOf(part, from);
  return at === -1 ? otherwise : at;
}

/** Where the last parsed record ended: the offset after its line end. Kept out of the result to spare an object a row. */
interface RecordEnd {
  at: number;
}

/**
 * Splits the record that starts at `from` into `values`, toggling quoting at each quote as PostgreSQL does. The scanner has
 * let no record pass whose quotes stand elsewhere than `Grammar` allows, so that this is a faster way to the same fields.
 * Returns the number of fields, which may be more than `values` has room for.
 */
function splitRecord(
  text: string,
  from: number,
  newline: string,
  dialect: CsvDialect,
  values: (string | null)[],
  end: RecordEnd,
): number {
  const { delimiter, quote, nullValue } = dialect;
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
    values[fields++] = !quoted && value === nullValue ? null : value;
    at++;
    if (last) break;
  }
  end.at = at;
  return fields;
}
