import type { ColumnKind } from "../../../batch/contract.ts";
import { ItemError } from "../../../errors.ts";
import { setOwn } from "../../../own.ts";
import type { CsvRow } from "../contract.ts";
import type { RecordLayout } from "../record-layout.ts";
import { FieldSplitter } from "../scan/field-splitter.ts";
import type { Grammar } from "../scan/grammar.ts";
import { type Converter, converterOf } from "../values/converters.ts";
import { type DecodedRow, PlainRowDecoder, ragged } from "./plain-row-decoder.ts";

/** Where the records come from, beside their bytes. */
export interface RecordOrigin {
  /** The file as messages name it. */
  readonly file: string;
  /** Which field of the file each of the layout's fields is; null where they stand in the same order. */
  readonly order: readonly number[] | null;
}

/** How one value of a row is made. */
interface ValueRules {
  readonly name: string;
  readonly field: number;
  readonly nulls: ReadonlySet<string>;
  readonly converter: Converter | null;
}

/**
 * Turns the bytes of one record into a row, by all that a layout says of how to read it. Most records are plain, and `PlainRowDecoder`
 * reads these, with checks of its own.
 */
export class RowDecoder {
  readonly #layout: RecordLayout;
  readonly #origin: RecordOrigin;
  readonly #fields: FieldSplitter;
  readonly #values: readonly ValueRules[];

  constructor(layout: RecordLayout, grammar: Grammar, origin: RecordOrigin) {
    this.#layout = layout;
    this.#origin = origin;
    this.#fields = new FieldSplitter(grammar);
    const dropped = new Set(layout.dropped);
    const kinds = new Map(layout.kinds);
    this.#values = layout.fields.flatMap((name, index) =>
      dropped.has(index) ? [] : [valueRules(layout, name, kinds.get(index), origin.order?.[index] ?? index)],
    );
  }

  /** The row, or the error of a record that is not one. Where files were `joined`, a record that equals the header is refused. */
  read(record: Buffer, line: number, joined = false): DecodedRow {
    const flaw = PlainRowDecoder.flaw(record);
    if (flaw !== null) return flaw;
    const { reading, fields: names } = this.#layout;
    const fields = this.#fields;
    const count = fields.split(record.toString("utf8"));
    if (fields.strayReturn)
      return new ItemError(
        "row holds a carriage return outside quotes, so it may be two: end all lines in the same way, or quote the value",
        { code: "csv.stray-return" },
      );
    const width = names.length;
    if ((count < width && !reading.fillMissing) || (count > width && !reading.ignoreExtra))
      return ragged(count, width);
    if (joined && this.#isHeader(count))
      return new ItemError("row is the header again: files were joined here", { code: "csv.joined" });
    const row: CsvRow = {};
    for (const { name, field, nulls, converter } of this.#values) {
      let value: string | null = field < count ? (fields.values[field] as string) : null;
      if (value !== null && fields.bare[field] && nulls.has(value)) value = null;
      if (value !== null && converter !== null) {
        const converted = converter.convert(value);
        if (converted === null)
          return new ItemError(
            `column ${JSON.stringify(name)}: ${JSON.stringify(value)} is not ${converter.what}`,
            { code: converter.code },
          );
        value = converted;
      }
      setOwn<string | null>(row, name, value);
    }
    if (reading.fileColumn !== null) setOwn<string | null>(row, reading.fileColumn, this.#origin.file);
    if (reading.lineColumn !== null) setOwn<string | null>(row, reading.lineColumn, String(line));
    return row;
  }

  #isHeader(count: number): boolean {
    const { fields, header } = this.#layout;
    const { order } = this.#origin;
    return (
      count === fields.length &&
      (header ?? fields).every((name, index) => this.#fields.values[order?.[index] ?? index]?.trim() === name)
    );
  }

  /**
   * The record as the quarantine keeps it: fields as they are written, in the order of the layout, without those that are
   * left out and with those that are added. A record with another number of fields stays as it is.
   */
  quarantined(record: Buffer, line: number): Buffer {
    const { reading, dialect, fields: names } = this.#layout;
    const { order, file } = this.#origin;
    const { fileColumn, lineColumn } = reading;
    const same = order === null && this.#values.length === names.length;
    if (same && fileColumn === null && lineColumn === null) return record;
    const fields = this.#fields;
    // latin1 keeps every byte as it is.
    const text = record.toString("latin1");
    const count = fields.split(text);
    if ((count < names.length && !reading.fillMissing) || (count > names.length && !reading.ignoreExtra))
      return record;
    const missing = reading.nulls[0] as string;
    const left = this.#values.map(({ field }) =>
      field < count
        ? text.slice(fields.starts[field], fields.ends[field])
        : Buffer.from(missing).toString("latin1"),
    );
    const added = [...(fileColumn === null ? [] : [file]), ...(lineColumn === null ? [] : [String(line)])];
    const written = added.map((value) =>
      Buffer.from(writeField(value, { ...dialect, escape: reading.escape })).toString("latin1"),
    );
    return Buffer.from([...left, ...written].join(dialect.delimiter), "latin1");
  }
}

function valueRules(
  { reading }: RecordLayout,
  name: string,
  kind: ColumnKind | undefined,
  field: number,
): ValueRules {
  const further = reading.nullsFor.flatMap(([column, texts]) => (column === name ? texts : []));
  const nulls = new Set([...reading.nulls, ...further]);
  return { name, field, nulls, converter: converterOf(kind, reading) };
}

/** A value as a field of a CSV: in quotes where it needs them, and escaped where there are none. */
export function writeField(
  value: string,
  {
    delimiter,
    quote,
    escape: escaping = "",
  }: { readonly delimiter: string; readonly quote: string; readonly escape?: string },
): string {
  const special = [delimiter, quote, escaping, "\n", "\r"].filter((each) => each !== "");
  if (!special.some((each) => value.includes(each)) && value === value.trim() && value !== "") return value;
  const guarded = escaping === "" ? value : value.replaceAll(escaping, escaping + escaping);
  if (quote !== "") return quote + guarded.replaceAll(quote, quote + quote) + quote;
  if (escaping !== "")
    return guarded.replaceAll(delimiter, escaping + delimiter).replaceAll(/\r?\n|\r/g, " ");
  // Without quotes and escapes these characters cannot be a part of a value.
  return value.replaceAll(delimiter, " ").replaceAll(/\r?\n|\r/g, " ");
}
