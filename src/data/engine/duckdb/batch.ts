import type { DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import type { ColumnField, ColumnType } from "../../schema/column-type.ts";
import { isFloat, isInteger } from "../../schema/column-type.ts";
import type { Batch, BatchColumn, BatchValues } from "../contract.ts";

/** A chunk of DuckDB as a batch of its own: the memory of a chunk is DuckDB's and ends with it. */
export function batchOf(chunk: DuckDBDataChunk, fields: readonly ColumnField[]): Batch {
  const rows = chunk.rowCount;
  return {
    rows,
    columns: fields.map(({ type }, index) => columnOf(chunk.getColumnVector(index), type, rows)),
  };
}

function columnOf(vector: DuckDBVector, { kind }: ColumnType, rows: number): BatchColumn {
  const valid = new Uint8Array(rows);
  let nulls = false;
  const given: unknown[] = new Array(rows);
  for (let row = 0; row < rows; row++) {
    const value = vector.getItem(row) as unknown;
    given[row] = value ?? null;
    if (value === null) nulls = true;
    else valid[row] = 1;
  }
  const items = (vector as { readonly items?: ArrayLike<unknown> }).items;
  const values: BatchValues =
    (isInteger(kind) || isFloat(kind)) && ArrayBuffer.isView(items)
      ? ((items as unknown as Float64Array).slice(0, rows) as BatchValues)
      : given;
  return { values, valid: nulls ? valid : null };
}
