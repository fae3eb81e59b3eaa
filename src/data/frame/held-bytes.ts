import type { Batch, BatchColumn } from "../engine/contract.ts";
import type { ColumnField } from "../schema/column-type.ts";

/** Bytes of an object of a row besides its values, and of each property. */
const ROW = 24;
const PROPERTY = 8;
/** Bytes of a number, a bigint or the head of a text that is kept apart from its object. */
const BOXED = 24;

/** About how many bytes the rows of a batch take as objects of JavaScript. */
export function heldBytes({ rows, columns }: Batch, fields: readonly ColumnField[]): number {
  let bytes = rows * (ROW + PROPERTY * fields.length);
  columns.forEach((column, index) => {
    bytes += columnBytes(column, (fields[index] as ColumnField).type.kind, rows);
  });
  return bytes;
}

function columnBytes({ values }: BatchColumn, kind: string, rows: number): number {
  if (kind === "bool") return 0;
  if (kind === "date") return rows * (BOXED + 10);
  if (kind === "timestamp" || kind === "timestamptz" || kind === "time") return rows * (BOXED + 27);
  if (ArrayBuffer.isView(values)) return rows * BOXED;
  let bytes = 0;
  for (let row = 0; row < rows; row++) bytes += valueBytes((values as readonly unknown[])[row]);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === "string") return BOXED + value.length * 2;
  if (value === null || typeof value !== "object") return BOXED;
  if (value instanceof Uint8Array) return BOXED * 4 + value.byteLength;
  let bytes = BOXED * 2;
  for (const each of Array.isArray(value) ? value : Object.values(value))
    bytes += PROPERTY + valueBytes(each);
  return bytes;
}
