import { basename } from "node:path";
import type { Chunk, Cursor, Origin } from "../../../batch/contract.ts";
import { ItemError } from "../../../errors.ts";
import type { CsvChunk, CsvRow } from "../contract.ts";
import { isPlain, type Layout, type Newline, rulesOf } from "../layout.ts";
import { BARE_ENDS, CRLF_ENDS, CTRL_Z, CTRL_Z_ENDS, MARKS, ODD_RETURNS } from "../scan/record-scanner.ts";
import type { Body } from "./chunk-bytes.ts";
import { indexRecords, type RecordIndex } from "./record-index.ts";
import { type DecodedRow, RowDecoder } from "./row-decoder.ts";
import { RowReader } from "./row-reader.ts";
import { linedRecords, recordsOf, tidied, tidiedRecords, wholeRecords } from "./whole-records.ts";

const SLICE = 1000;
const WINDOW = 64 * 1024;
const LINE_FEED = Buffer.from("\n");

export interface ChunkOf {
  readonly body: Body;
  readonly layout: Layout;
  readonly newline: Newline;
  /** Bits of `RecordScanner.features` for these bytes. */
  readonly features: number;
  readonly items: number;
  /** Source bytes that were consumed for it. */
  readonly bytes: number;
  readonly end: Cursor;
  /** The file's name, as people call it. */
  readonly name: string;
  /** Which field of the file each of the layout's fields is; null where they stand in the same order. */
  readonly order: readonly number[] | null;
  /** The line on which the first byte stands. */
  readonly line: number;
  /** Where the records were before, when that was not in these bytes. */
  readonly origins?: (index: number) => Promise<Origin>;
}

/** The chunk of these bytes: one that passes them on where COPY reads them as they are meant. */
export function chunkOf(of: ChunkOf): Chunk<CsvRow> {
  const plain =
    isPlain(of.layout) && of.order === null && (of.features & (ODD_RETURNS | MARKS | CTRL_Z_ENDS)) === 0;
  return plain ? new PlainChunk(of) : new ParsedChunk(of);
}

/** What both kinds of chunk share. */
abstract class RecordChunk implements Chunk<CsvRow> {
  readonly items: number;
  readonly bytes: number;
  readonly end: Cursor;
  protected readonly of: ChunkOf;
  #index: RecordIndex | null = null;
  #window: { readonly start: number; readonly bytes: Buffer } | null = null;

  constructor(of: ChunkOf) {
    this.items = of.items;
    this.bytes = of.bytes;
    this.end = of.end;
    this.of = of;
  }

  abstract slices(): AsyncIterable<readonly DecodedRow[]>;

  /** A record as it is put away. */
  protected abstract putAway(record: Buffer, line: number): Buffer;

  async origin(index: number): Promise<Origin> {
    const { body, layout, newline, name, line, origins } = this.of;
    if (index < 0 || index >= this.items)
      throw new RangeError(`The chunk has ${this.items} items: there is no ${index}.`);
    if (origins) return origins(index);
    this.#index ??= await indexRecords(body, layout, newline, line, this.items);
    const { starts, ends, lines } = this.#index;
    const raw = await this.#read(body, starts[index] as number, ends[index] as number);
    const at = lines[index] as number;
    return { raw: this.putAway(raw, at), at: `${basename(name)} line ${at}` };
  }

  /** Origins are asked for one after the other, so a window of the bytes is kept. */
  async #read(body: Body, start: number, end: number): Promise<Buffer> {
    if (!this.#window || start < this.#window.start || end > this.#window.start + this.#window.bytes.length) {
      const to = Math.min(body.length, Math.max(end, start + WINDOW));
      this.#window = { start, bytes: await body.range(start, to) };
    }
    const { bytes, start: first } = this.#window;
    // A copy, because the quarantine may keep it long.
    return Buffer.from(bytes.subarray(start - first, end - first));
  }
}

/** A chunk whose records a row is made of one by one, by all that the options say. */
class ParsedChunk extends RecordChunk {
  readonly #rows: RowReader;

  constructor(of: ChunkOf) {
    super(of);
    const { layout, newline, name, order, features } = of;
    const { grammar } = rulesOf(layout, newline, name);
    this.#rows = new RowReader(layout, grammar, { file: name, order, joined: (features & MARKS) !== 0 });
  }

  async *slices(): AsyncGenerator<readonly DecodedRow[]> {
    const { body, layout, newline, line, items, features } = this.of;
    let rows: DecodedRow[] = [];
    let left = items;
    for await (const { records, lines } of linedRecords(body, layout, newline, line))
      for (const [index, record] of records.entries()) {
        const last = --left === 0 && (features & CTRL_Z_ENDS) !== 0;
        rows.push(
          last && record.at(-1) === CTRL_Z
            ? new ItemError(
                "row ends with Ctrl-Z (0x1A), by which old programs mark the end of a file: remove that byte",
                { code: "csv.end-mark" },
              )
            : this.#rows.read(record, lines[index] as number),
        );
        if (rows.length < SLICE) continue;
        yield rows;
        rows = [];
      }
    if (rows.length > 0) yield rows;
  }

  protected override putAway(record: Buffer, line: number): Buffer {
    return this.#rows.putAway(record, line);
  }
}

/** A chunk whose bytes COPY reads as they are. Those with one kind of line end and nothing odd pass untouched. */
class PlainChunk extends RecordChunk implements CsvChunk {
  readonly csv: CsvChunk["csv"];

  constructor(of: ChunkOf) {
    super(of);
    this.csv = {
      dialect: of.layout.dialect,
      columns: of.layout.columns,
      bytes: () => (this.#untouched ? of.body.pieces(true) : this.#wholes()),
      records: () => this.#records(),
    };
  }

  get #untouched(): boolean {
    const { features, layout } = this.of;
    return (features === BARE_ENDS || features === CRLF_ENDS) && layout.dropped.length === 0;
  }

  /** Tidied records end with a line feed whatever the file's lines end with. */
  get #newline(): Newline {
    return this.#untouched ? this.of.newline : 10;
  }

  async *#records(): AsyncGenerator<Buffer[]> {
    const { body, layout, newline } = this.of;
    if (!this.#untouched) yield* tidiedRecords(body, layout, newline);
    else
      for await (const piece of wholeRecords(body, layout, newline)) yield* recordsOf(piece, layout, newline);
  }

  async *#wholes(): AsyncGenerator<Buffer> {
    const { body, layout, newline } = this.of;
    if (this.#untouched) yield* wholeRecords(body, layout, newline);
    else
      for await (const records of tidiedRecords(body, layout, newline))
        yield Buffer.concat(records.flatMap((record) => [record, LINE_FEED]));
  }

  async *slices(): AsyncGenerator<readonly DecodedRow[]> {
    const { layout } = this.of;
    const newline = this.#newline;
    const decoder = new RowDecoder(layout.dialect, layout.columns, String.fromCharCode(newline));
    let rows: DecodedRow[] = [];
    for await (const piece of this.#wholes()) {
      for (const bytes of RowDecoder.flaw(piece) === null ? [piece] : this.#single(piece)) {
        const flaw = bytes === piece ? null : RowDecoder.flaw(bytes);
        if (flaw !== null) rows.push(new ItemError(flaw, { code: "csv.bytes" }));
        else decoder.take(bytes);
        while (flaw === null && decoder.fill(rows, SLICE)) {
          yield rows;
          rows = [];
        }
        if (rows.length < SLICE) continue;
        yield rows;
        rows = [];
      }
    }
    if (rows.length > 0) yield rows;
  }

  /** The records of a piece one by one, each with its line end. */
  *#single(piece: Buffer): Generator<Buffer> {
    const { layout } = this.of;
    const left = { ...layout, fields: layout.columns, dropped: [] };
    const end = Buffer.of(this.#newline);
    for (const records of recordsOf(piece, left, this.#newline))
      for (const record of records) yield Buffer.concat([record, end]);
  }

  protected override putAway(record: Buffer): Buffer {
    return tidied(record, this.of.layout);
  }
}
