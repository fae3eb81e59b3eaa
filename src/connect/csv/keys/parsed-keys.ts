import type { KeyColumn } from "../../../batch/contract.ts";
import { ItemError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import { type Layout, rulesOf } from "../layout.ts";
import type { RangePart } from "../plan/shard-data.ts";
import { RowReader } from "../rows/row-reader.ts";
import { KeyReader, NO_KEY } from "./key-reader.ts";

/** Reads keys as `KeyReader` does, of records that only `RowReader` understands: their values are written plainly first. */
export class ParsedKeys {
  readonly #names: readonly string[];
  readonly #rows: RowReader;
  readonly #keys: KeyReader;

  constructor(key: readonly KeyColumn[], layout: Layout, { name, newline, order }: RangePart) {
    this.#names = key.map((column) => column.name);
    this.#rows = new RowReader(layout, rulesOf(layout, newline, name).grammar, {
      file: name,
      order,
      joined: false,
    });
    const dialect = { delimiter: ",", quote: '"', nullText: "" };
    this.#keys = new KeyReader(key, { ...layout, dialect, fields: this.#names });
  }

  get first(): number {
    return this.#keys.first;
  }

  get second(): number {
    return this.#keys.second;
  }

  get integer(): KeyReader["integer"] {
    return this.#keys.integer;
  }

  /** As `KeyReader.read`; `line` is that of the record. */
  read(buffer: Buffer, start: number, end: number, line: number): number {
    const row = this.#rows.read(buffer.subarray(start, end), line);
    // A record that is refused is written nowhere, so its key is equal to none.
    if (row instanceof ItemError) return NO_KEY;
    const values = this.#names.map((name) => {
      const value = own(row, name);
      if (value === null || value === undefined) return "";
      return /^[-+\w]+$/.test(value) ? value : `"${value.replaceAll('"', '""')}"`;
    });
    const record = Buffer.from(values.join(","));
    return this.#keys.read(record, 0, record.length);
  }
}
