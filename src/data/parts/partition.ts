/** What a function of `mapPartitions` is given, and what it gives: rows by column. */

import { quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { nearNames } from "../../near-names.ts";
import { own } from "../../own.ts";
import type { Batch, BatchColumn, BatchValues } from "../engine/contract.ts";
import {
  type ColumnField,
  type ColumnType,
  type FrameSchema,
  isFloat,
  isInteger,
  isTemporal,
  type Kind,
  typeText,
  type ValueOf,
} from "../schema/column-type.ts";

/** The typed array of a kind of numbers. */
interface ArrayOfKind {
  readonly bool: Uint8Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  readonly float32: Float32Array;
  readonly float64: Float64Array;
}

/**
 * The values of a column in a partition: a typed array for numbers and `bool` (0 and 1) without nulls, otherwise an array of the values
 * that rows have.
 */
export type PartitionValues<T extends ColumnType> = T["isNullable"] extends true
  ? readonly ValueOf<T>[]
  : T["kind"] extends keyof ArrayOfKind
    ? ArrayOfKind[T["kind"]]
    : readonly ValueOf<T>[];

/** The columns of a partition by name. */
export type PartitionColumns<S extends FrameSchema> = { readonly [C in keyof S]: PartitionValues<S[C]> };

/** The values that may be given for a column: one a row, as a typed array or an array. */
export type GivenValues<T extends ColumnType> = T["kind"] extends "int64" | "uint64"
  ? BigInt64Array | BigUint64Array | readonly (ValueOf<T> | number)[]
  : T["kind"] extends keyof ArrayOfKind
    ?
        | Int8Array
        | Int16Array
        | Int32Array
        | Uint8Array
        | Uint16Array
        | Uint32Array
        | Float32Array
        | Float64Array
        | readonly ValueOf<T>[]
    : readonly ValueOf<T>[];

/** The columns that a function gives for a partition. */
export type GivenColumns<S extends FrameSchema> = { readonly [C in keyof S]: GivenValues<S[C]> };

/** How a kind of numbers is kept where no row is null. */
export const ARRAYS: Partial<
  Readonly<Record<Kind, new (values: ArrayLike<number> & ArrayLike<bigint>) => object>>
> = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

const RANGES: Partial<Readonly<Record<Kind, readonly [number, number]>>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 4_294_967_295],
};
const BIG_RANGES: Partial<Readonly<Record<Kind, readonly [bigint, bigint]>>> = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/**
 * What a function gave for a partition of so many rows, checked against its declared columns. Throws a PawlError
 * `data.partition-output` that names the column and the row.
 */
export function givenBatch(
  given: unknown,
  fields: readonly ColumnField[],
  rows: number,
  name: string,
): Batch {
  if (typeof given !== "object" || given === null)
    throw refusal(name, `gave ${shown(given)}, and not an object with the columns ${names(fields)}`);
  for (const key of Object.keys(given)) {
    if (fields.some((field) => field.name === key)) continue;
    const [near] = nearNames(
      key,
      fields.map((field) => field.name),
      1,
    );
    throw refusal(
      name,
      `gave a column ${quoted(key)} that its output does not declare: ${near === undefined ? `it declares ${names(fields)}` : `is ${quoted(near)} meant`}`,
    );
  }
  const columns = fields.map((field): BatchColumn => {
    const values = own(given as Readonly<Record<string, unknown>>, field.name);
    if (!Array.isArray(values) && !isTypedArray(values))
      throw refusal(
        name,
        `gave ${shown(values)} for the column ${quoted(field.name)}, and not an array of its values`,
      );
    if (values.length !== rows)
      throw refusal(
        name,
        `gave ${values.length} values of the column ${quoted(field.name)} for ${rows} rows`,
      );
    return { values: checkedValues(values, field, name), valid: null };
  });
  return { rows, columns };
}

function isTypedArray(value: unknown): value is Float64Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function checkedValues(
  values: ArrayLike<unknown>,
  { name: column, type }: ColumnField,
  name: string,
): BatchValues {
  const { kind } = type;
  // A typed array of the kind itself holds nothing that does not fit.
  const array = ARRAYS[kind];
  if (array !== undefined && values instanceof array) return values as BatchValues;
  const checked: unknown[] = new Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    const isNull = value === null || value === undefined;
    const fitting = isNull ? (type.isNullable ? null : undefined) : fit(value, kind);
    if (fitting === undefined)
      throw refusal(
        name,
        `gave ${quoted(value)} in row ${row} of the column ${quoted(column)}, which is ${typeText(type)}`,
      );
    checked[row] = fitting;
  }
  return checked;
}

/** The value as the column keeps it; undefined where it does not fit. */
function fit(value: unknown, kind: Kind): unknown {
  if (kind === "bool") return typeof value === "boolean" ? value : bit(value);
  if (isFloat(kind)) return typeof value === "number" ? value : undefined;
  if (isInteger(kind)) return wholeNumber(value, kind);
  if (kind === "bytes") return value instanceof Uint8Array ? value : undefined;
  if (kind === "list") return Array.isArray(value) ? value : undefined;
  if (kind === "struct") return typeof value === "object" ? value : undefined;
  if (kind === "json") return value;
  if (isTemporal(kind) && value instanceof Date)
    return Number.isNaN(value.getTime()) ? undefined : dateText(value, kind);
  return typeof value === "string" ? value : undefined;
}

function bit(value: unknown): boolean | undefined {
  return value === 0 || value === 1 ? value === 1 : undefined;
}

function wholeNumber(value: unknown, kind: Kind): unknown {
  const range = RANGES[kind];
  if (range !== undefined)
    return Number.isInteger(value) && (value as number) >= range[0] && (value as number) <= range[1]
      ? value
      : undefined;
  const big =
    typeof value === "bigint" ? value : Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
  const [least, most] = BIG_RANGES[kind] as readonly [bigint, bigint];
  return big !== undefined && big >= least && big <= most ? big : undefined;
}

function dateText(value: Date, kind: Kind): string {
  const iso = value.toISOString();
  if (kind === "date") return iso.slice(0, -14);
  if (kind === "time") return iso.slice(-13, -1);
  return kind === "timestamp" ? iso.slice(0, -1) : iso;
}

function names(fields: readonly ColumnField[]): string {
  return fields.map((field) => quoted(field.name)).join(", ");
}

function refusal(name: string, what: string): PawlError {
  return new PawlError("data.partition-output", `The function of ${name} ${what}.`);
}
