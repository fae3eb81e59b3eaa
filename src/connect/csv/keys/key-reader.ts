import type { KeyColumn } from "../../../batch/contract.ts";
import { ItemError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import type { RangePart } from "../plan/shard-data.ts";
import { isPlain, type RecordLayout, rulesOf } from "../record-layout.ts";
import { RowDecoder } from "../rows/row-decoder.ts";

/** What a record's key turned out to be. */
export const NO_KEY = 0;
export const INTEGER_KEY = 1;
const HASHED_KEY = 2;

/** Odd, so that multiplying by them is a bijection; two primes of xxHash32. */
const LANE_1 = 0x9e3779b1 | 0;
const LANE_2 = 0x85ebca77 | 0;

/**
 * Reads the key of a record from its bytes. Keys that are equal by their columns' `equality` give equal pairs
 * (`first`, `second`); keys that differ give different pairs but for a chance of 2^-64. Each quote changes between
 * inside and outside, which is enough in records that the scanner has passed.
 */
export class KeyReader {
  first = 0;
  second = 0;
  /** The number itself, after INTEGER_KEY. */
  readonly integer = new IntegerText();
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #null: Buffer;
  readonly #fields: readonly { index: number; equality: KeyColumn["equality"] }[];
  readonly #last: number;
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #quoted: Uint8Array;
  readonly #alone: boolean;

  constructor(key: readonly KeyColumn[], layout: RecordLayout) {
    this.#delimiter = layout.dialect.delimiter.charCodeAt(0);
    this.#quote = layout.dialect.quote.charCodeAt(0);
    this.#null = Buffer.from(layout.dialect.nullValue);
    this.#fields = key.map(({ name, equality }) => ({ index: layout.fields.indexOf(name), equality }));
    this.#last = Math.max(...this.#fields.map(({ index }) => index));
    this.#from = new Int32Array(this.#last + 1);
    this.#to = new Int32Array(this.#last + 1);
    this.#quoted = new Uint8Array(this.#last + 1);
    this.#alone = key.length === 1 && key[0]?.equality === "integer";
  }

  /** NO_KEY when a column of the key is null or missing: such a record equals no other. `line` is that of the record. */
  read(record: Buffer, start: number, end: number, _line: number): number {
    if (!this.#locate(record, start, end)) return NO_KEY;
    this.first = 0x9e3779b9;
    this.second = 0x7f4a7c15;
    for (const { index, equality } of this.#fields) {
      const from = this.#from[index] as number;
      const to = this.#to[index] as number;
      const quoted = this.#quoted[index] === 1;
      if (!quoted && this.#isNull(record, from, to)) return NO_KEY;
      if (equality === "integer" && this.#readInteger(record, from, to, quoted)) {
        const { high, low } = this.integer;
        if (this.#alone) {
          this.#number(high, low);
          return INTEGER_KEY;
        }
        this.#mix(256);
        this.#mix(low | 0);
        this.#mix(Math.floor(low / 0x100000000) | 0);
        this.#mix(high | 0);
        this.#mix(Math.floor(high / 0x100000000) | 0);
      } else {
        this.#mix(257);
        this.#mixBytes(record, from, to, quoted, equality === "uuid");
      }
    }
    this.#finish();
    return HASHED_KEY;
  }

  /** Numbers below 10^15 are their own pair, so that such keys never collide. */
  #number(high: number, low: number): void {
    if (high === 0) {
      this.first = low >>> 0;
      this.second = Math.floor(low / 0x100000000) >>> 0;
      return;
    }
    this.#mix(low | 0);
    this.#mix(Math.floor(low / 0x100000000) | 0);
    this.#mix(high | 0);
    this.#mix(Math.floor(high / 0x100000000) | 0);
    this.#finish();
  }

  /** Finds the fields up to the last one of the key; false when the record has fewer. */
  #locate(record: Buffer, start: number, end: number): boolean {
    const delimiter = this.#delimiter;
    const quote = this.#quote;
    // Letters and digits are above a comma and a quote, so that one comparison passes over most bytes.
    const highest = Math.max(delimiter, quote);
    const last = this.#last;
    const froms = this.#from;
    const tos = this.#to;
    const quoteds = this.#quoted;
    let field = 0;
    let inside = false;
    froms[0] = start;
    quoteds[0] = 0;
    for (let at = start; at < end; at++) {
      const byte = record[at] as number;
      if (byte > highest) continue;
      if (byte === quote) {
        inside = !inside;
        quoteds[field] = 1;
      } else if (byte === delimiter && !inside) {
        tos[field] = at;
        if (field === last) return true;
        field++;
        froms[field] = at + 1;
        quoteds[field] = 0;
      }
    }
    tos[field] = end;
    return field === last;
  }

  #isNull(record: Buffer, from: number, to: number): boolean {
    const length = to - from;
    if (length !== this.#null.length) return false;
    for (let at = 0; at < length; at++) if (record[from + at] !== this.#null[at]) return false;
    return true;
  }

  #readInteger(record: Buffer, from: number, to: number, quoted: boolean): boolean {
    if (!quoted && this.integer.read(record, from, to)) return true;
    const text = record.toString("latin1", from, to).replaceAll(String.fromCharCode(this.#quote), "");
    return this.integer.readRare(text);
  }

  #mixBytes(record: Buffer, from: number, to: number, quoted: boolean, uuid: boolean): void {
    const quote = this.#quote;
    let { first, second } = this;
    let inside = false;
    for (let at = from; at < to; at++) {
      let byte = record[at] as number;
      if (quoted && byte === quote) {
        if (inside && at + 1 < to && record[at + 1] === quote) at++;
        else {
          inside = !inside;
          continue;
        }
      }
      if (uuid) {
        if (byte === 45 || byte === 123 || byte === 125) continue;
        if (byte >= 65 && byte <= 70) byte += 32;
      }
      // As in `#mix`, with both lanes in local variables: this loop is most of the cost of a text key.
      first = Math.imul(((first << 5) | (first >>> 27)) ^ byte, LANE_1);
      second = Math.imul(((second << 13) | (second >>> 19)) ^ byte, LANE_2);
    }
    this.first = first;
    this.second = second;
  }

  /** Two lanes of rotate, xor and multiply by an odd number: each step is a bijection of its lane. */
  #mix(word: number): void {
    const { first, second } = this;
    this.first = Math.imul(((first << 5) | (first >>> 27)) ^ word, LANE_1);
    this.second = Math.imul(((second << 13) | (second >>> 19)) ^ word, LANE_2);
  }

  /** The finalizer of MurmurHash3 on each lane, which is a bijection too. */
  #finish(): void {
    this.first = scramble(this.first);
    this.second = scramble(this.second);
  }
}

/** MurmurHash3's 32-bit finalizer. */
export function scramble(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Reads keys of records that only `RowDecoder` understands: their values are written as a plain record first. */
class ParsedKeyReader extends KeyReader {
  readonly #names: readonly string[];
  readonly #rows: RowDecoder;

  constructor(key: readonly KeyColumn[], layout: RecordLayout, { name, newline, order }: RangePart) {
    const names = key.map((column) => column.name);
    super(key, { ...layout, dialect: { delimiter: ",", quote: '"', nullValue: "" }, fields: names });
    this.#names = names;
    const { grammar } = rulesOf(layout, newline, name);
    this.#rows = new RowDecoder(layout, grammar, { file: name, order });
  }

  override read(buffer: Buffer, start: number, end: number, line: number): number {
    const row = this.#rows.read(buffer.subarray(start, end), line);
    // A record that is refused is written nowhere, so that its key is equal to no other.
    if (row instanceof ItemError) return NO_KEY;
    const values = this.#names.map((name) => {
      const value = own(row, name);
      if (value === null || value === undefined) return "";
      return /^[-+\w]+$/.test(value) ? value : `"${value.replaceAll('"', '""')}"`;
    });
    const record = Buffer.from(values.join(","));
    return super.read(record, 0, record.length, line);
  }
}

/** The reader for the keys of a file. */
export function keyReaderOf(key: readonly KeyColumn[], layout: RecordLayout, part: RangePart): KeyReader {
  const plain = isPlain(layout) && part.order === null;
  return plain ? new KeyReader(key, layout) : new ParsedKeyReader(key, layout, part);
}

/** Whole numbers of up to 30 digits in two halves, so that 64-bit keys compare exactly without BigInt. */
const HALF = 15;

/**
 * Reads a whole number as PostgreSQL takes it, blanks, sign and leading zeros aside. The value is
 * `high × 10^15 + low`; both have its sign.
 */
class IntegerText {
  high = 0;
  low = 0;

  /** Whether `bytes[from, to)` is a decimal number of at most 30 digits; then `high` and `low` hold it. */
  read(bytes: Buffer, from: number, to: number): boolean {
    let at = from;
    let end = to;
    while (at < end && isBlank(bytes[at] as number)) at++;
    while (end > at && isBlank(bytes[end - 1] as number)) end--;
    const sign = bytes[at];
    const negative = sign === 45;
    if (at < end && (negative || sign === 43)) at++;
    if (at === end) return false;
    while (at < end - 1 && bytes[at] === 48) at++;
    const digits = end - at;
    if (digits > 2 * HALF) return false;
    let value = 0;
    let high = 0;
    const split = end - HALF;
    for (; at < end; at++) {
      if (at === split) {
        high = value;
        value = 0;
      }
      const digit = (bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
    }
    // Adding zero turns -0 into 0.
    this.high = (negative ? -high : high) + 0;
    this.low = (negative ? -value : value) + 0;
    return true;
  }

  /** The same for the rarer notations `0x1f`, `0o17`, `0b11` and `1_000`. */
  readRare(text: string): boolean {
    const match =
      /^\s*([+-]?)((?:0[xX](?:_?[0-9a-fA-F])+)|(?:0[oO](?:_?[0-7])+)|(?:0[bB](?:_?[01])+)|\d+(?:_\d+)*)\s*$/.exec(
        text,
      );
    if (!match) return false;
    const value = BigInt((match[2] as string).replaceAll("_", ""));
    const decimal = Buffer.from(`${match[1]}${value}`);
    return this.read(decimal, 0, decimal.length);
  }
}

/** What C's `isspace` takes as a blank. */
function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}
