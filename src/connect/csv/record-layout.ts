import type { ColumnKind, Description } from "../../batch/contract.ts";
import type { Json } from "../../store/contract.ts";
import type { CsvDialect } from "./contract.ts";
import type { ReadingRules } from "./options.ts";
import { grammarOf } from "./scan/grammar.ts";
import type { RecordRules } from "./scan/record-scanner.ts";

/** How the records of a source are laid out: decided once, and stored with each shard. */
export interface RecordLayout {
  readonly dialect: CsvDialect;
  readonly reading: ReadingRules;
  /** The first character of lines that are left out, or the empty text. */
  readonly comment: string;
  /** Names of all fields of a record, in order. */
  readonly fields: readonly string[];
  /** What the header of the first file says, where other names are given in its place; else null. */
  readonly header: readonly string[] | null;
  /** Which fields are left out, ascending. */
  readonly dropped: readonly number[];
  /** Names of the values of a row: the fields that are left, and what is added. */
  readonly columns: readonly string[];
  /** Which of the fields are numbers or dates in the target. */
  readonly kinds: readonly (readonly [field: number, kind: ColumnKind])[];
  readonly maxRecordBytes: number;
}

/** 10, or 13 where lines end with a bare carriage return. */
export type Newline = 10 | 13;

export function layoutOf(
  parts: Pick<RecordLayout, "dialect" | "reading" | "comment" | "fields" | "header" | "maxRecordBytes">,
  ignore: readonly string[],
): RecordLayout {
  const ignored = new Set(ignore);
  const dropped = parts.fields.flatMap((name, index) => (ignored.has(name) ? [index] : []));
  return withColumns({ ...parts, dropped, kinds: [] });
}

function withColumns(layout: Omit<RecordLayout, "columns">): RecordLayout {
  const { fields, reading } = layout;
  const dropped = new Set(layout.dropped);
  const left = fields.filter((_, index) => !dropped.has(index));
  const added = [reading.fileColumn, reading.lineColumn].filter((name) => name !== null);
  return { ...layout, columns: [...left, ...added] };
}

/** The layout of records as the quarantine keeps them: without the fields that are left out, with those that were added. */
export function quarantinedLayout(layout: RecordLayout): RecordLayout {
  const reading = { ...layout.reading, fileColumn: null, lineColumn: null };
  return { ...layout, reading, comment: "", fields: layout.columns, header: null, dropped: [], kinds: [] };
}

/** The layout with what the target says of its columns. */
export function withKinds(
  layout: RecordLayout,
  kinds: readonly (readonly [column: string, kind: ColumnKind])[],
): RecordLayout {
  const known = new Map(kinds);
  return {
    ...layout,
    kinds: layout.fields.flatMap((name, index) => {
      const kind = known.get(name);
      return kind === undefined ? [] : [[index, kind] as const];
    }),
  };
}

/** How to put raw records back into a file. */
export function describedDialect({
  dialect,
  reading,
  columns,
}: RecordLayout): NonNullable<Description["dialect"]> {
  return { ...dialect, columns, ...(reading.escape === "" ? {} : { escape: reading.escape }) };
}

/** Whether COPY reads the records as this layout means them. */
export function isPlain({ reading, dialect }: RecordLayout): boolean {
  return (
    dialect.quote !== "" &&
    reading.escape === "" &&
    !reading.loose &&
    !reading.trim &&
    reading.nulls.length === 1 &&
    reading.nullsFor.length === 0 &&
    reading.dateOrder === null &&
    reading.decimal === "" &&
    reading.thousands === "" &&
    !reading.fillMissing &&
    !reading.ignoreExtra &&
    reading.fileColumn === null &&
    reading.lineColumn === null
  );
}

export function rulesOf(layout: RecordLayout, newline: Newline, name: string): RecordRules {
  const { dialect, reading, comment } = layout;
  return {
    grammar: grammarOf({
      delimiter: codeOf(dialect.delimiter),
      quote: codeOf(dialect.quote),
      escape: codeOf(reading.escape),
      newline,
      quoting: reading.loose ? "loose" : "strict",
      trim: reading.trim,
    }),
    comment: codeOf(comment),
    blankIsRow: layout.fields.length === 1,
    maxRecordBytes: layout.maxRecordBytes,
    name,
  };
}

/** The byte of an ASCII character; -1 for the empty text. */
export function codeOf(character: string): number {
  return character === "" ? -1 : character.charCodeAt(0);
}

export function packLayout(layout: RecordLayout): Json {
  const { columns: _columns, ...rest } = layout;
  return rest as unknown as Json;
}

/** The inverse of `packLayout`; what a shard's data holds was written by it. */
export function unpackLayout(packed: Json): RecordLayout {
  return withColumns(packed as unknown as Omit<RecordLayout, "columns">);
}
