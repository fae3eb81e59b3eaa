import { PawlError } from "../../errors.ts";

/** What tells one record from the next. */
export interface RecordRules {
  readonly quote: number;
  /** The byte that ends a record: 10, or 13 in a file whose lines end with a bare carriage return. */
  readonly newline: number;
  /** In a file of one column a blank line is a row; in any other it is nothing. */
  readonly blankIsRow: boolean;
  readonly maxRecordBytes: number;
  /** For error messages. */
  readonly name: string;
}

/** What the bytes of a range hold, as bits. A range with one kind of line end and nothing else may pass as it is. */
const BLANK_LINES = 1;
export const CRLF_ENDS = 2;
export const BARE_ENDS = 4;
/** A carriage return outside quotes that ends no line. */
export const ODD_RETURNS = 8;
/** The last record has no line end. */
const UNENDED = 16;

const SPANS = 4096;

/**
 * Finds the ends of records in blocks of bytes that follow one another. A quote toggles quoting wherever it stands,
 * as in PostgreSQL's COPY, so that both see the same records. Between quotes it hops from line end to line end with
 * `indexOf`, which is several times as fast as looking at each byte.
 *
 * Errors: `csv.record-too-large`, `csv.unclosed-quote`, `csv.mixed-line-ends`.
 */
export class RecordScanner {
  /** Rows, physical lines and features (bits above) since the last `reset`. */
  records = 0;
  lines = 0;
  features = 0;
  /** Where the record that has not ended yet begins. */
  recordStart: number;
  /** Start and end without line end of the records found by the last call, as offsets in its buffer. */
  readonly spans: Int32Array;
  /** The line on which each of them starts. */
  readonly spanLines: Float64Array;
  spanCount = 0;

  readonly #rules: RecordRules;
  #quoted = false;
  /** A carriage return was the last byte of a block. */
  #returned = false;
  #firstLine: number;
  #openLine = 0;
  #closedAt = -1;
  #oddLine = 0;
  #startLines = 0;

  /** `offset` and `line` say where scanning begins: at the start of a record. */
  constructor(rules: RecordRules, offset = 0, line = 1, spans = false) {
    this.#rules = rules;
    this.recordStart = offset;
    this.#firstLine = line;
    this.spans = new Int32Array(spans ? SPANS * 2 : 0);
    this.spanLines = new Float64Array(spans ? SPANS : 0);
  }

  /** The line of the file on which the record that has not ended yet begins. */
  get line(): number {
    return this.#firstLine + this.#startLines;
  }

  reset(): void {
    this.#firstLine += this.#startLines;
    this.lines -= this.#startLines;
    this.#startLines = 0;
    this.records = 0;
    this.features = 0;
  }

  /**
   * Looks at `buffer[from, to)`, where `buffer[0]` stands at offset `base` of the source. Stops after the record
   * that reaches the offset `stopAt` or is number `stopRecords` since the reset, or when `spans` is full. Returns where it stopped.
   */
  scan(
    buffer: Buffer,
    from: number,
    to: number,
    base: number,
    stopAt = Number.POSITIVE_INFINITY,
    stopRecords = Number.POSITIVE_INFINITY,
  ): number {
    const { quote, newline, blankIsRow, maxRecordBytes } = this.#rules;
    const bytes = to === buffer.length ? buffer : buffer.subarray(0, to);
    const { spans } = this;
    const capacity = spans.length;
    const stop = Math.min(stopAt - base, to);
    this.spanCount = 0;
    let spanned = 0;
    let at = from;
    let start = this.recordStart - base;
    let nextQuote = -1;
    let nextOther = -1;
    if (this.#returned && at < to && bytes[at] !== newline) {
      this.features |= ODD_RETURNS;
      this.#returned = false;
    }
    while (at < to) {
      let end = -1;
      if (!this.#quoted) {
        if (nextQuote < at) nextQuote = indexOr(bytes, quote, at, to);
        end = indexOr(bytes, newline, at, to);
        if (nextOther < at) nextOther = indexOr(bytes, newline === 10 ? 13 : 10, at, to);
      }
      if (end < 0 || nextQuote < end) {
        end = this.#byBytes(bytes, at, to, base);
      } else if (nextOther < end && (nextOther < end - 1 || end === to || newline === 13)) {
        this.#noteOthers(bytes, nextOther, end);
        nextOther = -1;
      }
      if (end >= to) {
        at = to;
        break;
      }
      const carriage = newline === 10 && (end > from ? end > start && bytes[end - 1] === 13 : this.#returned);
      this.#returned = false;
      this.lines++;
      const close = carriage ? end - 1 : end;
      const size = close - start;
      this.features |= carriage ? CRLF_ENDS : BARE_ENDS;
      if (size > maxRecordBytes) this.#tooLarge();
      if (size > 0 || blankIsRow) {
        this.records++;
        if (capacity > 0) {
          this.spanLines[spanned >> 1] = this.line;
          spans[spanned++] = start;
          spans[spanned++] = close;
        }
      } else this.features |= BLANK_LINES;
      this.#startLines = this.lines;
      at = end + 1;
      start = at;
      if (at >= stop || this.records >= stopRecords || (capacity > 0 && spanned === capacity)) break;
    }
    this.spanCount = spanned >> 1;
    this.recordStart = start + base;
    if (at - start > maxRecordBytes) this.#tooLarge();
    return at;
  }

  /** The source has ended at `offset`: a record without line end counts too. `base` is that of the last call. */
  finish(offset: number, base = 0): void {
    this.spanCount = 0;
    if (this.#quoted) this.#unclosed();
    const start = this.recordStart;
    if (offset === start) return;
    const close = this.#returned ? offset - 1 : offset;
    this.features |= UNENDED | (this.#returned ? ODD_RETURNS : 0);
    if (close > start || this.#rules.blankIsRow) {
      this.records++;
      if (this.spans.length > 0) {
        this.spanLines[0] = this.line;
        this.spans[0] = start - base;
        this.spans[1] = close - base;
        this.spanCount = 1;
      }
    } else this.features |= BLANK_LINES;
    this.recordStart = offset;
  }

  /** The rest of one record, byte by byte; returns where its line end is, or `to`. */
  #byBytes(bytes: Buffer, from: number, to: number, base: number): number {
    const { quote, newline } = this.#rules;
    const other = newline === 10 ? 13 : 10;
    let at = from;
    let lines = this.lines;
    let quoted = this.#quoted;
    while (at < to) {
      if (quoted) {
        while (at < to) {
          const byte = bytes[at++];
          if (byte === quote) {
            quoted = false;
            this.#closedAt = base + at;
            break;
          }
          if (byte === newline) lines++;
        }
        continue;
      }
      const byte = bytes[at++];
      if (byte === newline) {
        at--;
        break;
      }
      if (byte === quote) {
        quoted = true;
        // The second of two doubled quotes goes on with the field that was open.
        if (base + at - 1 !== this.#closedAt) this.#openLine = this.#firstLine + lines;
      } else if (byte === other) {
        if (newline === 13) this.#mixed(lines);
        if (at === to) this.#returned = true;
        else if (bytes[at] !== newline) this.features |= ODD_RETURNS;
      } else if (this.#oddLine === 0 && base + at - 1 === this.#closedAt && byte !== undefined) {
        // No delimiter, most likely: a hint for the message, nothing more.
        if (byte > 59 && byte !== 124) this.#oddLine = this.#openLine;
      }
    }
    this.lines = lines;
    this.#quoted = quoted;
    return at;
  }

  #noteOthers(bytes: Buffer, first: number, end: number): void {
    if (this.#rules.newline === 13) this.#mixed(this.lines);
    for (let at = first; at !== -1 && at < end; at = bytes.indexOf(13, at + 1)) {
      if (at + 1 === bytes.length) this.#returned = true;
      else if (bytes[at + 1] !== 10) this.features |= ODD_RETURNS;
    }
  }

  #tooLarge(): never {
    const { name, maxRecordBytes } = this.#rules;
    const quote = this.#quoted ? `, or close the quote that opens on line ${this.#openLine}` : "";
    throw new PawlError(
      "csv.record-too-large",
      `${name} line ${this.line}: the record that starts here is larger than ${maxRecordBytes} bytes; raise --max-record if that is right${quote}.`,
    );
  }

  #unclosed(): never {
    const odd =
      this.#oddLine > 0 && this.#oddLine !== this.#openLine
        ? ` (text follows a closing quote for the first time on line ${this.#oddLine})`
        : "";
    throw new PawlError(
      "csv.unclosed-quote",
      `${this.#rules.name} line ${this.#openLine}: the quote that opens here is never closed${odd}; close or double it, or give another --quote.`,
    );
  }

  #mixed(lines: number): never {
    throw new PawlError(
      "csv.mixed-line-ends",
      `${this.#rules.name} line ${this.#firstLine + lines}: a line feed stands in a file whose lines end with a carriage return; give all lines the same end.`,
    );
  }
}

function indexOr(bytes: Buffer, byte: number, from: number, otherwise: number): number {
  const at = bytes.indexOf(byte, from);
  return at === -1 ? otherwise : at;
}
