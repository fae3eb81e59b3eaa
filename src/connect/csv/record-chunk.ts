import type { Cursor, Origin } from "../../batch/contract.ts";
import { ItemError } from "../../errors.ts";
import type { Body } from "./body.ts";
import type { CsvChunk } from "./chunk.ts";
import type { Layout, Newline } from "./layout.ts";
import { indexRecords, type RecordIndex } from "./record-index.ts";
import { BARE_ENDS, CRLF_ENDS } from "./record-scanner.ts";
import { type DecodedRow, RowDecoder } from "./row-decoder.ts";
import { recordsOf, tidied, tidiedRecords, wholeRecords } from "./whole-records.ts";

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
  /** The file's name without folders. */
  readonly name: string;
  /** The line on which the first byte stands. */
  readonly line: number;
}

/** A chunk over the bytes of a body. Bytes with one kind of line end and nothing odd are passed on untouched. */
export class RecordChunk implements CsvChunk {
  readonly items: number;
  readonly bytes: number;
  readonly end: Cursor;
  readonly csv: CsvChunk["csv"];
  readonly #of: ChunkOf;
  #index: RecordIndex | null = null;
  #window: { readonly start: number; readonly bytes: Buffer } | null = null;

  constructor(of: ChunkOf) {
    this.#of = of;
    this.items = of.items;
    this.bytes = of.bytes;
    this.end = of.end;
    this.csv = {
      dialect: of.layout.dialect,
      columns: of.layout.columns,
      bytes: () => (this.#untouched ? of.body.pieces(true) : this.#wholes()),
      records: () => this.#records(),
    };
  }

  get #untouched(): boolean {
    const { features, layout } = this.#of;
    return (features === BARE_ENDS || features === CRLF_ENDS) && layout.dropped.length === 0;
  }

  /** Tidied records end with a line feed whatever the file's lines end with. */
  get #newline(): Newline {
    return this.#untouched ? this.#of.newline : 10;
  }

  async *#records(): AsyncGenerator<Buffer[]> {
    const { body, layout, newline, features } = this.#of;
    if (!this.#untouched) yield* tidiedRecords(body, layout, newline, features);
    else
      for await (const piece of wholeRecords(body, layout, newline)) yield* recordsOf(piece, layout, newline);
  }

  async *#wholes(): AsyncGenerator<Buffer> {
    const { body, layout, newline, features } = this.#of;
    if (this.#untouched) yield* wholeRecords(body, layout, newline);
    else
      for await (const records of tidiedRecords(body, layout, newline, features))
        yield Buffer.concat(records.flatMap((record) => [record, LINE_FEED]));
  }

  async *slices(): AsyncGenerator<readonly DecodedRow[]> {
    const { layout } = this.#of;
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
    const { layout } = this.#of;
    const left = { ...layout, fields: layout.columns, dropped: [] };
    const end = Buffer.of(this.#newline);
    for (const records of recordsOf(piece, left, this.#newline))
      for (const record of records) yield Buffer.concat([record, end]);
  }

  async origin(index: number): Promise<Origin> {
    const { body, layout, newline, name, line } = this.#of;
    this.#index ??= await indexRecords(body, layout, newline, line, this.items);
    const { starts, ends, lines } = this.#index;
    const start = starts[index];
    if (start === undefined) throw new RangeError(`The chunk has ${this.items} items: there is no ${index}.`);
    const raw = await this.#read(body, start, ends[index] as number);
    return { raw: tidied(raw, layout, false), at: `${name} line ${lines[index]}` };
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
