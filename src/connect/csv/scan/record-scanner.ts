import { PawlError } from "../../../errors.ts";
import {
  BLANK,
  CLOSED,
  DELIMITER,
  ENDS,
  ESCAPED_QUOTED,
  type Grammar,
  LINE,
  MIXED_END,
  OPENS,
  PLAIN,
  QUOTED,
  RETURNED,
  START,
  STRAY_QUOTE,
  STRAY_RETURN,
} from "./grammar.ts";

/** What separates records. */
export interface RecordRules {
  readonly grammar: Grammar;
  /** A line that begins with this byte where a record could begin is a comment; -1 where there are no comments. */
  readonly comment: number;
  /** In a file of one column a blank line is a row; in any other it is nothing. */
  readonly blankIsRow: boolean;
  readonly maxRecordBytes: number;
  /** For error messages. */
  readonly name: string;
}

/** What the bytes of a range hold, as bits. A range with one kind of line end and nothing else may be passed on as it is. */
const BLANK_LINES = 1;
export const CRLF_ENDS = 2;
export const BARE_ENDS = 4;
/** A carriage return outside quotes that ends no line. */
export const ODD_RETURNS = 8;
/** The last record has no line end. */
const UNENDED = 16;
const COMMENTS = 32;
/** A byte order mark before a record: files were joined. */
export const BYTE_ORDER_MARKS = 64;
/** More than one carriage return before a line feed. */
const REPEATED_RETURNS = 128;
/** The last record has no line end, and its last byte is Ctrl-Z, by which DOS marks the end of a text. */
export const CTRL_Z_ENDS = 256;
/** That byte. */
export const CTRL_Z = 0x1a;

const SPANS = 4096;
/** A comment continues in the next block; not a state of the grammar. */
const IN_COMMENT = 15;

/**
 * Finds the ends of records in blocks of bytes that follow one another. While no quote is near it hops from line end
 * to line end with `indexOf`, which is several times as fast as looking at each byte.
 *
 * Errors: `csv.record-too-large`, `csv.unclosed-quote`, `csv.stray-quote`, `csv.mixed-line-ends`.
 */
export class RecordScanner {
  /** Rows, physical lines and features (bits above) since the last `reset`. */
  records = 0;
  lines = 0;
  features = 0;
  /** Where the record that has not ended yet begins. */
  recordStart: number;
  /**
   * Start and end of the records found by the last call, as offsets in its buffer, without line end and without a
   * byte order mark.
   */
  readonly spans: Int32Array;
  /** The line on which each of them starts. */
  readonly spanLines: Float64Array;
  spanCount = 0;

  readonly #rules: RecordRules;
  #state = START;
  /** How many carriage returns the last block ended with, outside quotes. */
  #returns = 0;
  /** Of the last block. */
  #lastByte = 0;
  /** The first bytes, at most three, of a record that began in an earlier block. */
  #opening: Buffer = Buffer.alloc(0);
  #firstLine: number;
  #openLine = 0;
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
   * Scans `buffer[from, to)`, where `buffer[0]` stands at offset `base` of the source. Stops after the record
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
    const { grammar, comment, blankIsRow, maxRecordBytes } = this.#rules;
    const { quote, escape: escaping, newline } = grammar;
    const bytes = to === buffer.length ? buffer : buffer.subarray(0, to);
    const { spans } = this;
    if (to > from) this.#lastByte = bytes[to - 1] as number;
    const capacity = spans.length;
    const stop = Math.min(stopAt - base, to);
    const other = newline === 10 ? 13 : 10;
    this.spanCount = 0;
    let spanned = 0;
    let at = from;
    let start = this.recordStart - base;
    let nextSpecial = -1;
    let nextOther = -1;
    if (start < from && this.#opening.length < 3 && start + this.#opening.length === from)
      this.#opening = Buffer.concat([this.#opening, bytes.subarray(from, from + 3 - this.#opening.length)]);
    while (at < to) {
      let end = -1;
      let state = this.#state;
      if (at === start && comment >= 0 && bytes[at] === comment) state = IN_COMMENT;
      if (state === IN_COMMENT) {
        end = indexOr(bytes, newline, at, to);
        this.features |= COMMENTS;
        this.#state = end < to ? START : IN_COMMENT;
        if (end >= to) {
          at = to;
          break;
        }
        this.lines++;
        this.#startLines = this.lines;
        at = end + 1;
        start = at;
        if (at >= stop) break;
        continue;
      }
      if (state === START || state === PLAIN) {
        if (nextSpecial < at) {
          nextSpecial = quote < 0 ? to : indexOr(bytes, quote, at, to);
          if (escaping >= 0) nextSpecial = Math.min(nextSpecial, indexOr(bytes, escaping, at, to));
        }
        end = indexOr(bytes, newline, at, to);
        if (nextOther < at) nextOther = indexOr(bytes, other, at, to);
      }
      if (end < 0 || nextSpecial < end) {
        end = this.#byBytes(bytes, at, to, start);
        if (end < to) this.#state = START;
      } else {
        if (nextOther < end && (nextOther < end - 1 || end === to || newline === 13)) {
          this.#noteOthers(bytes, nextOther, end);
          nextOther = -1;
        }
        if (end < to) this.#state = START;
        else this.#leave(bytes, at, to);
      }
      if (end >= to) {
        at = to;
        break;
      }
      let close = end;
      if (newline === 10 && (end === from || bytes[end - 1] === 13))
        close = this.#trimReturns(bytes, end, from, start);
      const carriage = close < end;
      this.#returns = 0;
      this.lines++;
      this.features |= carriage ? CRLF_ENDS : BARE_ENDS;
      let first = start;
      if (bytes[start] === 0xef || start < from) first += this.#bomLength(bytes, start, close);
      const size = close - first;
      if (size > maxRecordBytes) this.#tooLarge();
      if (size > 0 || blankIsRow) {
        this.records++;
        if (capacity > 0) {
          this.spanLines[spanned >> 1] = this.line;
          spans[spanned++] = first;
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
    if (start >= from) this.#opening = Buffer.from(bytes.subarray(start, Math.min(start + 3, to)));
    if (at - start > maxRecordBytes) this.#tooLarge();
    return at;
  }

  /** The source has ended at `offset`: a record without line end counts too. `base` is that of the last call. */
  finish(offset: number, base = 0): void {
    this.spanCount = 0;
    if (this.#state === QUOTED || this.#state === ESCAPED_QUOTED) this.#unclosed();
    const commented = this.#state === IN_COMMENT;
    const start = this.recordStart;
    this.#state = START;
    if (offset === start) return;
    this.recordStart = offset;
    this.features |= UNENDED | (this.#lastByte === CTRL_Z ? CTRL_Z_ENDS : 0);
    if (commented) return;
    const close = offset - this.#returns;
    const first = start + (isBom(this.#opening) ? 3 : 0);
    if (first > start) this.features |= BYTE_ORDER_MARKS;
    if (close > first || this.#rules.blankIsRow) {
      this.records++;
      if (this.spans.length > 0) {
        this.spanLines[0] = this.line;
        this.spans[0] = first - base;
        this.spans[1] = close - base;
        this.spanCount = 1;
      }
    } else this.features |= BLANK_LINES;
  }

  /** The rest of one record, byte by byte; returns where its line end is, or `to`. */
  #byBytes(bytes: Buffer, from: number, to: number, start: number): number {
    const { classes, table, quote, newline, escape: escaping } = this.#rules.grammar;
    let state = this.#state;
    let at = from;
    for (; at < to; at++) {
      let byte = bytes[at] as number;
      // Most bytes are neither the first of a field nor special: these two loops are most of the cost of a quoted file.
      if (state === QUOTED)
        while (byte !== quote && byte !== newline && byte !== escaping && ++at < to)
          byte = bytes[at] as number;
      else if (state === PLAIN) while (classes[byte] === 0 && ++at < to) byte = bytes[at] as number;
      if (at >= to) break;
      const step = table[(state << 3) | (classes[byte] as number)] as number;
      const event = step >> 4;
      if (event === 0) state = step;
      else if (event === ENDS) break;
      else state = this.#on(event, step & 15, bytes, at, start);
    }
    this.#state = state;
    if (at >= to) this.#leave(bytes, from, to, state);
    return at;
  }

  /** What the transition means for the scan; returns the state to continue with. */
  #on(event: number, next: number, bytes: Buffer, at: number, start: number): number {
    if (event === LINE) this.lines++;
    else if (event === OPENS) this.#openLine = this.#firstLine + this.lines;
    else if (event === STRAY_RETURN) this.features |= ODD_RETURNS;
    else if (event === MIXED_END) this.#mixed(this.lines);
    else if (event === STRAY_QUOTE) {
      // A quote right behind a byte order mark opens the first field.
      if (at - start !== 3 || this.#bomLength(bytes, start, at) === 0) this.#stray();
      this.#openLine = this.#firstLine + this.lines;
      return QUOTED;
    }
    return next;
  }

  /** Notes what the next block has to know of the bytes `[from, to)`, after which the record continues. */
  #leave(bytes: Buffer, from: number, to: number, state?: number): void {
    const outside = state === undefined || state < QUOTED || state > CLOSED;
    let returns = 0;
    if (outside && this.#rules.grammar.newline === 10)
      while (to - returns > from && bytes[to - 1 - returns] === 13) returns++;
    this.#returns = returns === to - from ? this.#returns + returns : returns;
    if (state !== undefined) return;
    const { classes } = this.#rules.grammar;
    const kind = (at: number) => classes[bytes[at] as number];
    let last = to;
    while (last > from && kind(last - 1) === BLANK) last--;
    if (returns > 0) this.#state = RETURNED;
    else if (last > from) this.#state = kind(last - 1) === DELIMITER ? START : PLAIN;
  }

  /** Where the record ends whose line feed is at `end`: before all carriage returns in front of it. */
  #trimReturns(bytes: Buffer, end: number, from: number, start: number): number {
    let close = end;
    while (close > from && close > start && bytes[close - 1] === 13) close--;
    if (close === from && from > start) close = Math.max(start, close - this.#returns);
    if (end - close > 1) this.features |= REPEATED_RETURNS;
    return close;
  }

  /** How long the byte order mark is that the record begins with. */
  #bomLength(bytes: Buffer, start: number, close: number): number {
    const opening = start >= 0 ? bytes.subarray(start, start + 3) : this.#opening;
    if (close - start < 3 || !isBom(opening)) return 0;
    this.features |= BYTE_ORDER_MARKS;
    return 3;
  }

  /** A carriage return, or a line feed, stands at `first`, before the line end or the end of the block. */
  #noteOthers(bytes: Buffer, first: number, end: number): void {
    if (this.#rules.grammar.newline === 13) this.#mixed(this.lines);
    let close = end;
    while (close > first && bytes[close - 1] === 13) close--;
    if (close > first) this.features |= ODD_RETURNS;
  }

  #tooLarge(): never {
    const { name, maxRecordBytes } = this.#rules;
    const open = this.#state === QUOTED || this.#state === ESCAPED_QUOTED;
    const quote = open ? `, or close the quote that opens on line ${this.#openLine}` : "";
    throw new PawlError(
      "csv.record-too-large",
      `${name} line ${this.line}: the record that starts here is larger than ${maxRecordBytes} bytes; raise \`maxRecordSize\` if that is right${quote}.`,
    );
  }

  #unclosed(): never {
    throw new PawlError(
      "csv.unclosed-quote",
      `${this.#rules.name} line ${this.#openLine}: the quote that opens here is never closed; close or double it, or say how quotes are meant with \`quote: null\` or \`looseQuotes\`.`,
    );
  }

  #stray(): never {
    const line = this.#firstLine + this.lines;
    throw new PawlError(
      "csv.stray-quote",
      `${this.#rules.name} line ${line}: a quote stands inside a field, or text follows a closing quote; double the quote, or say how quotes are meant with \`looseQuotes\`, \`quote: null\`, \`escape\` or \`trim\`.`,
    );
  }

  #mixed(lines: number): never {
    throw new PawlError(
      "csv.mixed-line-ends",
      `${this.#rules.name} line ${this.#firstLine + lines}: a line feed stands in a file whose lines end with a carriage return: end all lines in the same way.`,
    );
  }
}

function isBom(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function indexOr(bytes: Buffer, byte: number, from: number, otherwise: number): number {
  const at = bytes.indexOf(byte, from);
  return at === -1 ? otherwise : at;
}
