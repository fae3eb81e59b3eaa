import type { Json } from "../../store/contract.ts";
import type { CsvDialect } from "./chunk.ts";
import type { RecordRules } from "./record-scanner.ts";

/** How the records of a source are laid out: settled once, and stored with each shard. */
export interface Layout {
  readonly dialect: CsvDialect;
  /** Names of all fields of a record, in order. */
  readonly fields: readonly string[];
  /** Which fields are left out, ascending. */
  readonly dropped: readonly number[];
  /** Names of the fields that are left. */
  readonly columns: readonly string[];
  readonly maxRecordBytes: number;
}

/** 10, or 13 where lines end with a bare carriage return. */
export type Newline = 10 | 13;

export function layoutOf(
  dialect: CsvDialect,
  fields: readonly string[],
  ignore: readonly string[],
  maxRecordBytes: number,
): Layout {
  const dropped = fields.flatMap((name, index) => (ignore.includes(name) ? [index] : []));
  const columns = fields.filter((_, index) => !dropped.includes(index));
  return { dialect, fields, dropped, columns, maxRecordBytes };
}

export function rulesOf(layout: Layout, newline: Newline, name: string): RecordRules {
  return {
    quote: layout.dialect.quote.charCodeAt(0),
    newline,
    blankIsRow: layout.fields.length === 1,
    maxRecordBytes: layout.maxRecordBytes,
    name,
  };
}

export function packLayout(layout: Layout): Json {
  const { dialect, fields, dropped, maxRecordBytes } = layout;
  return { dialect: { ...dialect }, fields, dropped, maxRecordBytes };
}

/** The inverse of `packLayout`; what a shard's data holds was written by it. */
export function unpackLayout(packed: Json): Layout {
  const { dialect, fields, dropped, maxRecordBytes } = packed as unknown as Omit<Layout, "columns">;
  const columns = fields.filter((_, index) => !dropped.includes(index));
  return { dialect, fields, dropped, columns, maxRecordBytes };
}
