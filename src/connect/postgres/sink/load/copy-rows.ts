import { ItemError } from "../../../../errors.ts";
import { own } from "../../../../own.ts";
import type { CsvChunk } from "../../../csv/contract.ts";
import { quoteText } from "../../identifier.ts";
import type { RowLayout } from "./row-layout.ts";

export type Texts = readonly (string | null)[];

/** Consecutive items of a chunk with the same columns, in a form that COPY reads. Each call starts from the first one. */
export interface CopyRows {
  readonly layout: RowLayout;
  /** Which item of the chunk is the first. */
  readonly first: number;
  readonly items: number;
  /** COPY's options for this form. */
  readonly options: string;
  /** In pieces, each good only until the next is asked for. */
  bytes(): AsyncIterable<Buffer>;
  records(): AsyncIterable<readonly Buffer[]>;
  /** Why the source itself refuses a record; null where only the server knows. */
  refusal(record: Buffer): ItemError | null;
  /** The values of each item in the order of the fields, or why it has none, some items at a time. */
  rows(): AsyncIterable<readonly (Texts | ItemError)[]>;
  /** A number as the first value of a record, with what separates it from the rest. */
  prefix(number: number): string;
}

/** The bytes of a CSV as they are: PostgreSQL reads the same dialect. */
export function csvRows(chunk: CsvChunk, layout: RowLayout): CopyRows {
  const { dialect } = chunk.csv;
  const options = [
    "FORMAT csv",
    `DELIMITER ${quoteText(dialect.delimiter)}`,
    `QUOTE ${quoteText(dialect.quote)}`,
    `NULL ${quoteText(dialect.nullValue)}`,
    "ENCODING 'UTF8'",
  ];
  return {
    layout,
    first: 0,
    items: chunk.items,
    options: options.join(", "),
    bytes: () => chunk.csv.bytes(),
    records: () => chunk.csv.records(),
    refusal: (record) => chunk.csv.refusal(record),
    async *rows() {
      const { columns } = chunk.csv;
      for await (const slice of chunk.slices())
        yield slice.map((row) =>
          row instanceof ItemError ? row : columns.map((name) => own(row, name) ?? null),
        );
    },
    // In quotes, so that it cannot be taken for the null text.
    prefix: (number) => `${dialect.quote}${number}${dialect.quote}${dialect.delimiter}`,
  };
}

/** Rows in COPY's text format, in pieces that end with a row. */
export function textRows(
  layout: RowLayout,
  first: number,
  items: number,
  pieces: readonly Buffer[],
): CopyRows {
  return {
    layout,
    first,
    items,
    options: "FORMAT text, ENCODING 'UTF8'",
    async *bytes() {
      yield* pieces;
    },
    async *records() {
      for (const piece of pieces) yield splitLines(piece);
    },
    refusal: () => null,
    async *rows() {
      for (const piece of pieces) yield splitLines(piece).map((line) => readValues(line.toString()));
    },
    prefix: (number) => `${number}\t`,
  };
}

/** The values of a record in COPY's text format, as `encode` writes it. */
function readValues(record: string): Texts {
  return record
    .split("\t")
    .map((value) =>
      value === "\\N" ? null : value.replaceAll(/\\(.)/g, (_, letter) => escaped.get(letter) ?? letter),
    );
}

const escaped: ReadonlyMap<string, string> = new Map([
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
]);

function splitLines(piece: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < piece.length; ) {
    const end = piece.indexOf(10, start);
    lines.push(piece.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
