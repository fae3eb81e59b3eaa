import type { DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import { setOwn } from "../../../own.ts";
import type { ColumnField, ColumnType, Kind } from "../../schema/column-type.ts";
import { dateText, timestampText, timeText } from "../../schema/iso-text.ts";
import type { Batch, BatchColumn, BatchValues } from "../contract.ts";

/** A chunk of DuckDB as a batch of its own: the memory of a chunk is DuckDB's and ends with it, so all values are copied. */
export function batchOf(chunk: DuckDBDataChunk, fields: readonly ColumnField[]): Batch {
  const rows = chunk.rowCount;
  return {
    rows,
    columns: fields.map(({ type }, index) => columnOf(chunk.getColumnVector(index), type, rows)),
  };
}

/** What the vectors of node-api have beyond their declared types. */
interface RawVector {
  readonly validity: { readonly data: BigUint64Array | null };
  readonly items?: ArrayLike<number | bigint>;
  readonly dataView?: DataView;
  getItem(row: number): unknown;
}

type TypedValues = Exclude<BatchValues, readonly unknown[]>;

/** Kinds whose values are numbers in memory that follow each other. */
const TYPED: ReadonlySet<Kind> = new Set([
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "float32",
  "float64",
  "date",
  "time",
  "timestamp",
  "timestamptz",
]);

function columnOf(vector: DuckDBVector, type: ColumnType, rows: number): BatchColumn {
  const valid = validityOf(vector, rows);
  const raw = vector as unknown as RawVector;
  if (TYPED.has(type.kind))
    return { values: (raw.items as unknown as TypedValues).slice(0, rows) as BatchValues, valid };
  if (type.kind === "bool") {
    const { buffer, byteOffset } = raw.dataView as DataView;
    return { values: new Uint8Array(buffer, byteOffset, rows).slice(), valid };
  }
  return { values: valuesOf(vector, type, rows), valid };
}

/** A byte a row, or null where every row has a value. */
function validityOf(vector: DuckDBVector, rows: number): Uint8Array | null {
  const { data } = (vector as unknown as RawVector).validity;
  if (data === null) return null;
  const bits = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const valid = new Uint8Array(rows);
  let nulls = 0;
  for (let row = 0; row < rows; row++) {
    const bit = ((bits[row >> 3] as number) >> (row & 7)) & 1;
    valid[row] = bit;
    nulls += bit ^ 1;
  }
  return nulls === 0 ? null : valid;
}

/** The values of a vector as rows have them, with null where there is none. */
function valuesOf(vector: DuckDBVector, type: ColumnType, rows: number): unknown[] {
  const raw = vector as unknown as RawVector;
  const value = readerOf(vector, raw, type);
  const valid = validityOf(vector, rows);
  const values: unknown[] = new Array(rows);
  for (let row = 0; row < rows; row++) values[row] = valid === null || valid[row] === 1 ? value(row) : null;
  return values;
}

/** How the value of a row that has one is read. */
function readerOf(vector: DuckDBVector, raw: RawVector, type: ColumnType): (row: number) => unknown {
  const { kind } = type;
  const items = raw.items as ArrayLike<number>;
  const moments = raw.items as unknown as ArrayLike<bigint>;
  if (kind === "date") return (row) => dateText(items[row] as number);
  if (kind === "time") return (row) => timeText(moments[row] as bigint);
  if (kind === "timestamp") return (row) => timestampText(moments[row] as bigint, "");
  if (kind === "timestamptz") return (row) => timestampText(moments[row] as bigint, "Z");
  if (TYPED.has(kind)) return (row) => items[row];
  if (kind === "decimal") {
    const scaled = vector as unknown as { getScaledValue(row: number): number | bigint };
    const { scale = 0 } = type;
    return (row) => decimalText(scaled.getScaledValue(row), scale);
  }
  if (kind === "uuid") return (row) => String(raw.getItem(row));
  if (kind === "bytes")
    return (row) => new Uint8Array((raw.getItem(row) as { readonly bytes: Uint8Array }).bytes);
  if (kind === "json") return (row) => JSON.parse(raw.getItem(row) as string) as unknown;
  if (kind === "list") return listReader(vector, type);
  if (kind === "struct") return structReader(vector, type);
  return (row) => raw.getItem(row);
}

/** The elements of all rows stand in one vector, of which each row has a stretch. */
function listReader(vector: DuckDBVector, { of }: ColumnType): (row: number) => unknown[] {
  const lists = vector as unknown as {
    readonly childVector: DuckDBVector;
    getEntryOffset(row: number): number;
    getEntryLength(row: number): number;
  };
  const all = valuesOf(lists.childVector, of as ColumnType, lists.childVector.itemCount);
  return (row) => {
    const offset = lists.getEntryOffset(row);
    return all.slice(offset, offset + lists.getEntryLength(row));
  };
}

function structReader(vector: DuckDBVector, { fields = [] }: ColumnType): (row: number) => object {
  const structs = vector as unknown as { entryVectorAt(index: number): DuckDBVector };
  const columns = fields.map(({ type }, index) =>
    valuesOf(structs.entryVectorAt(index), type, vector.itemCount),
  );
  return (row) => {
    const made: Record<string, unknown> = {};
    fields.forEach(({ name }, index) => {
      setOwn(made, name, columns[index]?.[row]);
    });
    return made;
  };
}

/** The text of a decimal: all digits of its scale. */
function decimalText(scaled: number | bigint, scale: number): string {
  const text = String(scaled);
  if (scale === 0) return text;
  const sign = text.startsWith("-") ? "-" : "";
  const digits = text.slice(sign.length).padStart(scale + 1, "0");
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
