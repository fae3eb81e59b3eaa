import { basename } from "node:path";
import type { Chunk, Cursor, Origin } from "../../../batch/contract.ts";
import { ItemError } from "../../../errors.ts";
import type { CsvChunk, CsvRow } from "../contract.ts";
import type { FilePart } from "../plan/shard-data.ts";
import { isPlain, type Newline, type RecordLayout, rulesOf } from "../record-layout.ts";
import { FieldSplitter, MOST_COLUMNS } from "../scan/field-splitter.ts";
import {
  BARE_ENDS,
  BYTE_ORDER_MARKS,
  CRLF_ENDS,
  CTRL_Z,
  CTRL_Z_ENDS,
  ODD_RETURNS,
  type RecordRules,
} from "../scan/record-scanner.ts";
import { type ChunkBytes, HeldBytes } from "./chunk-bytes.ts";
import { type DecodedRow, PlainRowDecoder } from "./plain-row-decoder.ts";
import { RowDecoder } from "./row-decoder.ts";

const SLICE = 1000;
const WINDOW = 64 * 1024;
const LINE_FEED = Buffer.from("\n");

/** What all chunks of one part of a shard share. */
export class ChunkSource {
  readonly layout: RecordLayout;
  readonly rules: RecordRules;
  /** Whether COPY reads the records of the part as its layout means them. */
  readonly isPlain: boolean;
  readonly #order: readonly number[] | null;
  #rows: RowDecoder | null = null;

  constructor(layout: RecordLayout, { newline, name, order }: Pick<FilePart, "newline" | "name" | "order">) {
    this.layout = layout;
    this.rules = rulesOf(layout, newline, name);
    this.isPlain = isPlain(layout) && order === null;
    this.#order = order;
  }

  /** Makes rows by all that the options say. */
  get rows(): RowDecoder {
    const { rules } = this;
    this.#rows ??= new RowDecoder(this.layout, rules.grammar, { file: rules.name, order: this.#order });
    return this.#rows;
  }
}

export interface ChunkContent {
  readonly content: ChunkBytes;
  /** Bits of `RecordScanner.features` for this content. */
  readonly features: number;
  readonly items: number;
  /** Source bytes that were consumed for it. */
  readonly bytes: number;
  readonly end: Cursor;
  /** The line on which the first byte stands. */
  readonly line: number;
  /** Where the records were first, when that was not in this content. */
  readonly origins?: (index: number) => Promise<Origin>;
}

/** The chunk of this content: one that passes its bytes on where COPY reads them as the options mean them. */
export function chunkOf(source: ChunkSource, content: ChunkContent): Chunk<CsvRow> {
  const odd = (content.features & (ODD_RETURNS | BYTE_ORDER_MARKS | CTRL_Z_ENDS)) !== 0;
  return source.isPlain && !odd ? new PlainChunk(source, content) : new ParsedChunk(source, content);
}

/** Where each record of a chunk is, and on which line of the file it begins. */
interface RecordIndex {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly lines: Float64Array;
}

/** What both kinds of chunk share. */
abstract class RecordChunk implements Chunk<CsvRow> {
  readonly items: number;
  readonly bytes: number;
  readonly end: Cursor;
  protected readonly source: ChunkSource;
  protected readonly content: ChunkBytes;
  protected readonly features: number;
  protected readonly line: number;
  readonly #origins: ChunkContent["origins"];
  #index: RecordIndex | null = null;
  #window: { readonly start: number; readonly bytes: Buffer } | null = null;

  constructor(source: ChunkSource, { content, features, items, bytes, end, line, origins }: ChunkContent) {
    this.items = items;
    this.bytes = bytes;
    this.end = end;
    this.source = source;
    this.content = content;
    this.features = features;
    this.line = line;
    this.#origins = origins;
  }

  abstract slices(): AsyncIterable<readonly DecodedRow[]>;

  /** A record as the quarantine keeps it. */
  protected abstract quarantined(record: Buffer, line: number): Buffer;

  async origin(index: number): Promise<Origin> {
    if (index < 0 || index >= this.items)
      throw new RangeError(`The chunk has ${this.items} items: there is no ${index}.`);
    if (this.#origins) return this.#origins(index);
    this.#index ??= await this.#indexed();
    const { starts, ends, lines } = this.#index;
    const raw = await this.#read(starts[index] as number, ends[index] as number);
    const line = lines[index] as number;
    return { raw: this.quarantined(raw, line), at: `${basename(this.source.rules.name)} line ${line}` };
  }

  async #indexed(): Promise<RecordIndex> {
    const { items } = this;
    const [starts, ends, lines] = [new Float64Array(items), new Float64Array(items), new Float64Array(items)];
    let known = 0;
    for await (const batch of this.content.records(this.source.rules, this.line))
      for (const [index, { length }] of batch.records.entries()) {
        const start = batch.offsets[index] as number;
        starts[known] = start;
        ends[known] = start + length;
        lines[known++] = batch.lines[index] as number;
      }
    return { starts, ends, lines };
  }

  /** Origins are asked for one after the other, so that a window of the bytes is kept. */
  async #read(start: number, end: number): Promise<Buffer> {
    if (!this.#window || start < this.#window.start || end > this.#window.start + this.#window.bytes.length) {
      const to = Math.min(this.content.length, Math.max(end, start + WINDOW));
      this.#window = { start, bytes: await this.content.range(start, to) };
    }
    const { bytes, start: first } = this.#window;
    // A copy, because the quarantine may keep it long.
    return Buffer.from(bytes.subarray(start - first, end - first));
  }
}

/** A chunk whose records are made into rows one by one, by all that the options say. */
class ParsedChunk extends RecordChunk {
  async *slices(): AsyncGenerator<readonly DecodedRow[]> {
    let rows: DecodedRow[] = [];
    let left = this.items;
    const reader = this.source.rows;
    // A byte order mark between records shows that files were joined, of which each may have a header.
    const joined = (this.features & BYTE_ORDER_MARKS) !== 0;
    for await (const { records, lines } of this.content.records(this.source.rules, this.line))
      for (const [index, record] of records.entries()) {
        const last = --left === 0 && (this.features & CTRL_Z_ENDS) !== 0;
        rows.push(
          last && record.at(-1) === CTRL_Z
            ? new ItemError(
                "row ends with Ctrl-Z (0x1A), by which old programs mark the end of a file: remove that byte",
                { code: "csv.end-mark" },
              )
            : reader.read(record, lines[index] as number, joined),
        );
        if (rows.length < SLICE) continue;
        yield rows;
        rows = [];
      }
    if (rows.length > 0) yield rows;
  }

  protected override quarantined(record: Buffer, line: number): Buffer {
    return this.source.rows.quarantined(record, line);
  }
}

/** A chunk whose bytes COPY reads as they are. Those with one kind of line end and nothing odd pass untouched. */
class PlainChunk extends RecordChunk implements CsvChunk {
  readonly csv: CsvChunk["csv"];

  constructor(source: ChunkSource, content: ChunkContent) {
    super(source, content);
    this.csv = {
      dialect: source.layout.dialect,
      columns: source.layout.columns,
      bytes: () => (this.#untouched ? this.content.pieces(true) : this.#wholeRecords()),
      records: () => this.#records(),
      refusal: (record) => this.#refusal(record),
    };
  }

  get #untouched(): boolean {
    const { features } = this;
    return (features === BARE_ENDS || features === CRLF_ENDS) && this.source.layout.dropped.length === 0;
  }

  /** Records without the fields that are left out. */
  async *#records(): AsyncGenerator<readonly Buffer[]> {
    const { layout, rules } = this.source;
    const cut = layout.dropped.length === 0 ? null : new FieldSplitter(rules.grammar);
    for await (const { records } of this.content.records(rules))
      yield cut === null ? records : records.map((record) => withoutDropped(record, layout, cut));
  }

  /** Where they are not passed on untouched, records end with a line feed, whatever the file's lines end with. */
  async *#wholeRecords(): AsyncGenerator<Buffer> {
    if (this.#untouched) yield* this.content.wholeRecords(this.source.rules);
    else
      for await (const records of this.#records())
        yield Buffer.concat(records.flatMap((record) => [record, LINE_FEED]));
  }

  async *slices(): AsyncGenerator<readonly DecodedRow[]> {
    const { layout, rules } = this.source;
    const newline = this.#untouched ? rules.grammar.newline : 10;
    const decoder = new PlainRowDecoder(layout.dialect, layout.columns, String.fromCharCode(newline));
    let rows: DecodedRow[] = [];
    for await (const piece of this.#wholeRecords()) {
      for (const bytes of PlainRowDecoder.flaw(piece) === null
        ? [piece]
        : await this.#single(piece, newline)) {
        const flaw = bytes === piece ? null : PlainRowDecoder.flaw(bytes);
        if (flaw !== null) rows.push(flaw);
        else decoder.decode(bytes);
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

  #refusal(record: Buffer): ItemError | null {
    const flaw = PlainRowDecoder.flaw(record);
    if (flaw !== null) return flaw;
    const { layout, rules } = this.source;
    const decoder = new PlainRowDecoder(
      layout.dialect,
      layout.columns,
      String.fromCharCode(rules.grammar.newline),
    );
    const rows: DecodedRow[] = [];
    decoder.decode(record);
    decoder.fill(rows, 1);
    return rows[0] instanceof ItemError ? rows[0] : null;
  }

  /** The records of a piece one by one, each with its line end. */
  async #single(piece: Buffer, newline: number): Promise<Buffer[]> {
    const { layout, rules } = this.source;
    const plain = { ...layout, fields: layout.columns, dropped: [] };
    const end = Buffer.of(newline);
    const single: Buffer[] = [];
    for await (const { records } of new HeldBytes([piece]).records(
      rulesOf(plain, newline as Newline, rules.name),
    ))
      for (const record of records) single.push(Buffer.concat([record, end]));
    return single;
  }

  protected override quarantined(record: Buffer): Buffer {
    const { layout, rules } = this.source;
    return layout.dropped.length === 0
      ? record
      : withoutDropped(record, layout, new FieldSplitter(rules.grammar));
  }
}

/** A record without line end and without the fields that are left out; the others stay as they are written. */
function withoutDropped(record: Buffer, { dropped, dialect }: RecordLayout, splitter: FieldSplitter): Buffer {
  // latin1 keeps every byte as it is.
  const text = record.toString("latin1");
  const count = splitter.split(text);
  const left = new Set(dropped);
  const { starts, ends } = splitter;
  const fields: string[] = [];
  for (let index = 0; index < Math.min(count, MOST_COLUMNS); index++)
    if (!left.has(index)) fields.push(text.slice(starts[index], ends[index]));
  // Of a record with too many fields, which is refused later, the rest is not split.
  if (count > MOST_COLUMNS) fields.push(text.slice((ends[MOST_COLUMNS - 1] as number) + 1));
  return Buffer.from(fields.join(dialect.delimiter), "latin1");
}
