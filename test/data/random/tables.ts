import type { LiteralValue } from "../../../src/data/expr/node.ts";
import type { ValuesNode } from "../../../src/data/plan/node.ts";
import {
  bool,
  type ColumnField,
  type ColumnType,
  date,
  decimal,
  float64,
  int32,
  int64,
  text,
  timestamp,
} from "../../../src/data/schema/column-type.ts";
import { Tape } from "./tape.ts";

/** Values in the form of literals, by kind: plain ones first, to which a failure shrinks, then odd ones. */
export const VALUES = {
  bool: [true, false],
  int32: [0, 1, 2, -1, 7, 100, 2_147_483_647, -2_147_483_648],
  // Beyond 2⁵³ as text, and both ends.
  int64: [0, 1, 2, -1, 5, 1000, "9007199254740993", "9223372036854775807", "-9223372036854775808"],
  // Quarters add up to the same whatever the order is.
  float64: [0, 1, 2.5, -1.25, 100, 0.75, "-0", "NaN", "Infinity", "-Infinity"],
  decimal: ["0.00", "1.00", "2.50", "-1.25", "0.01", "99999999.99", "-99999999.99"],
  text: [
    "",
    "a",
    "b",
    "ab",
    "A",
    "Ab",
    " ",
    "é",
    "é",
    "ß",
    "İ",
    "😀",
    "a😀b",
    "\u{10ffff}",
    "\ue000",
    "'",
    '"',
    "\\",
    "a\nb",
    "null",
    "NaN",
    "0",
    "-1",
    "1.6",
    "%",
    "_",
  ],
  date: ["2024-02-29", "2026-01-31", "1970-01-01", "1969-12-31", "2000-12-31", "1900-03-01", "2100-02-28"],
  timestamp: [
    "2026-01-31T10:30:00",
    "1970-01-01T00:00:00",
    "1969-12-31T23:59:59.999999",
    "2024-02-29T12:00:00.123456",
    "2024-12-31T23:59:59.000001",
    "2025-01-01T00:00:00",
  ],
} as const satisfies Record<string, readonly LiteralValue[]>;

export type RandomKind = keyof typeof VALUES;
const KINDS = Object.keys(VALUES) as RandomKind[];

const TYPES: Readonly<Record<RandomKind, () => ColumnType>> = {
  bool,
  int32,
  int64,
  float64,
  decimal: () => decimal(10, 2),
  text,
  date,
  timestamp,
};

export function typeOf(kind: RandomKind): ColumnType {
  return TYPES[kind]();
}

/** Names that are keywords, quoted, empty of meaning or inherited by every object. */
const NAMES = ["a", "b", "c", "select", 'q"uote', "__proto__", "constructor", "Ä ö", "x.y", "1"] as const;

/** Choices for a small table: a tape for each column, and how many rows there are. */
export interface TableChoices {
  readonly columns: readonly (readonly number[])[];
  readonly rows: number;
  /** Which name the first column has. */
  readonly first: number;
}

/** A small table of columns of any kind, some of which have nulls. */
export function randomTable({ columns, rows, first }: TableChoices): ValuesNode {
  const made = columns.map((choices, index) => {
    const tape = new Tape(choices);
    const type = typeOf(tape.pick(KINDS));
    const field: ColumnField = {
      name: NAMES[(first + index) % NAMES.length] as string,
      type: tape.below(2) === 1 ? type.nullable() : type,
    };
    return { field, values: Array.from({ length: rows }, () => randomValue(tape, field.type)) };
  });
  return {
    kind: "values",
    fields: made.map(({ field }) => field),
    rows: Array.from({ length: rows }, (_, row) => made.map(({ values }) => values[row] as LiteralValue)),
  };
}

export function randomValue(tape: Tape, type: ColumnType): LiteralValue {
  if (type.isNullable && tape.oneIn(4)) return null;
  return tape.pick(VALUES[type.kind as RandomKind] as readonly LiteralValue[]);
}
