import { setOwn } from "../../own.ts";
import type { Batch, BatchColumn } from "../engine/contract.ts";
import type { ColumnField, ColumnType } from "../schema/column-type.ts";
import { dateText, timestampText, timeText } from "../schema/iso-text.ts";

/** The rows of a batch as objects. */
export function* rowsOf(batch: Batch, fields: readonly ColumnField[]): Iterable<Record<string, unknown>> {
  const readers = readersOf(batch, fields);
  for (let row = 0; row < batch.rows; row++) yield rowAt(row, fields, readers);
}

/** The value of a column in a row of its batch, as rows have it. */
export type ValueReader = (row: number) => unknown;

/** How the values of each column of a batch are read. Throws where the batch has other columns than the fields. */
export function readersOf({ columns }: Batch, fields: readonly ColumnField[]): readonly ValueReader[] {
  if (columns.length !== fields.length)
    throw new Error(`The engine delivered ${columns.length} columns where the plan has ${fields.length}`);
  return fields.map(({ type }, index) => readerOf(columns[index] as BatchColumn, type));
}

function rowAt(
  row: number,
  fields: readonly ColumnField[],
  readers: readonly ValueReader[],
): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (let index = 0; index < fields.length; index++)
    setOwn(made, (fields[index] as ColumnField).name, (readers[index] as ValueReader)(row));
  return made;
}

/** How the values of one column of a batch are read: null where it has none. */
export function readerOf({ values, valid }: BatchColumn, type: ColumnType): ValueReader {
  const value = presentReader(values as ArrayLike<unknown>, type);
  return valid === null ? value : (row) => (valid[row] === 1 ? value(row) : null);
}

function presentReader(values: ArrayLike<unknown>, { kind, isSafe }: ColumnType): ValueReader {
  if (kind === "bool" && ArrayBuffer.isView(values)) return (row) => values[row] === 1;
  if (kind === "date" && ArrayBuffer.isView(values)) return (row) => dateText(values[row] as number);
  if (values instanceof BigInt64Array) {
    if (kind === "time") return (row) => timeText(values[row] as bigint);
    if (kind === "timestamp") return (row) => timestampText(values[row] as bigint, "");
    if (kind === "timestamptz") return (row) => timestampText(values[row] as bigint, "Z");
    if (isSafe === true) return (row) => Number(values[row]);
  }
  return (row) => values[row];
}
