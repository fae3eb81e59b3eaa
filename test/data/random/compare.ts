import type { ColumnField } from "../../../src/data/schema/column-type.ts";
import { jsOf } from "../evaluator/cells.ts";
import type { Table } from "../evaluator/plans.ts";
import { INEXACT } from "./expressions.ts";

/** Deviations of equal values are nearly zero rather than zero, whichever way they are worked out. */
const TOLERANCE = 1e-7;

type JsRow = readonly unknown[];

/** The rows of the evaluator in the form in which a frame gives them. */
export function jsRows(table: Table): readonly JsRow[] {
  return table.rows.map((row) =>
    row.map((cell, index) => jsOf(cell, (table.fields[index] as ColumnField).type)),
  );
}

/** Says where rows differ; null where they are the same. Without `ordered`, in whichever order they come. */
export function differenceOf(
  fields: readonly ColumnField[],
  expected: readonly JsRow[],
  found: readonly JsRow[],
  ordered: boolean,
): string | null {
  if (expected.length !== found.length)
    return `${found.length} rows, not ${expected.length}: ${shown(found)}, not ${shown(expected)}`;
  const rest = [...found];
  for (const row of expected) {
    const place = ordered
      ? sameRow(fields, row, rest[0])
        ? 0
        : -1
      : rest.findIndex((other) => sameRow(fields, row, other));
    if (place < 0) return `no row ${shown([row])} among ${shown(rest)}`;
    rest.splice(place, 1);
  }
  return null;
}

function sameRow(fields: readonly ColumnField[], a: JsRow, b: JsRow | undefined): boolean {
  return (
    b !== undefined &&
    fields.every(({ name }, index) => sameValue(a[index], b[index], name.startsWith(INEXACT)))
  );
}

function sameValue(a: unknown, b: unknown, near: boolean): boolean {
  if (typeof a === "number" && typeof b === "number") {
    // A zero has no sign that an engine keeps in groups and sums.
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
    return (
      near &&
      Number.isFinite(a) &&
      Number.isFinite(b) &&
      Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a))
    );
  }
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((each, index) => sameValue(each, b[index], near));
  return a === b;
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    typeof each === "bigint"
      ? `${each}n`
      : typeof each === "number" && !Number.isFinite(each)
        ? String(each)
        : Object.is(each, -0)
          ? "-0"
          : each,
  );
}
