import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { setOwn } from "../../own.ts";

/** What the values of a column are, whatever the engine calls it. */
export type Kind =
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float32"
  | "float64"
  | "decimal"
  | "text"
  | "bytes"
  | "date"
  | "time"
  | "timestamp"
  | "timestamptz"
  | "uuid"
  | "json"
  | "list"
  | "struct";

/** Whole numbers whose values are `number` in JavaScript. */
export type SmallIntKind = "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32";

/** Whole numbers of any size. */
export type IntKind = SmallIntKind | "int64" | "uint64";

/** Binary floating-point numbers. */
export type FloatKind = "float32" | "float64";

/** All numbers. */
export type NumberKind = IntKind | FloatKind | "decimal";

/** Days and moments. */
export type TemporalKind = "date" | "time" | "timestamp" | "timestamptz";

/**
 * The type of a column: its kind, the type `V` of its values in JavaScript, and whether it may hold nulls. Made by functions such as
 * `int32()` and `text()`; a column without `.nullable()` refuses nulls.
 *
 * @example
 * ```ts
 * const age = int32();
 * const nickname = text().nullable();
 * ```
 */
export class ColumnType<
  out K extends Kind = Kind,
  out V = unknown,
  out N extends boolean = boolean,
  out D = unknown,
> {
  /** What its values are. */
  readonly kind: K;
  /** Whether it may hold nulls. */
  readonly isNullable: N;
  /** Digits in all, of a decimal. */
  readonly precision?: number;
  /** Digits after the point, of a decimal. */
  readonly scale?: number;
  /** What the elements of a list are. */
  readonly of?: ColumnType;
  /** What the fields of a struct are, in order. */
  readonly fields?: readonly ColumnField[];
  /** Whether its values are numbers in JavaScript, though an int64 holds them: counts are, since none exceeds 2⁵³. */
  readonly isSafe?: true;
  declare readonly " value"?: V;
  /** Only for the compiler: the type of a list's elements, or the schema of a struct's fields. */
  declare readonly " details"?: D;

  /** Not called by programs: use the functions named after the kinds. */
  constructor(kind: K, isNullable: N, details: ColumnTypeDetails = {}) {
    this.kind = kind;
    this.isNullable = isNullable;
    if (details.precision !== undefined) this.precision = details.precision;
    if (details.scale !== undefined) this.scale = details.scale;
    if (details.of !== undefined) this.of = details.of;
    if (details.fields !== undefined) this.fields = details.fields;
    if (details.isSafe !== undefined) this.isSafe = details.isSafe;
  }

  /** The same type with nulls allowed. */
  nullable(): ColumnType<K, V, true, D> {
    return new ColumnType(this.kind, true, this);
  }

  /** The same type without nulls. */
  notNull(): ColumnType<K, V, false, D> {
    return new ColumnType(this.kind, false, this);
  }
}

interface ColumnTypeDetails {
  readonly precision?: number;
  readonly scale?: number;
  readonly of?: ColumnType;
  readonly fields?: readonly ColumnField[];
  readonly isSafe?: true;
}

/** A named column. A list of fields keeps its order whatever the names are, which an object does not for names such as `2024`. */
export interface ColumnField {
  readonly name: string;
  readonly type: ColumnType;
}

/** The columns of a frame by name. */
export type FrameSchema = Readonly<Record<string, ColumnType>>;

/** The type of a column's values in JavaScript. */
export type ValueOf<T> =
  T extends ColumnType<Kind, infer V, infer N> ? (N extends true ? V | null : V) : never;

/** A row of a frame: a property for each column. */
export type Row<S extends FrameSchema> = { -readonly [C in keyof S]: ValueOf<S[C]> };

/** True or false. */
export function bool(): ColumnType<"bool", boolean, false> {
  return new ColumnType("bool", false);
}

/** Whole numbers from −128 to 127. */
export function int8(): ColumnType<"int8", number, false> {
  return new ColumnType("int8", false);
}

/** Whole numbers from −32,768 to 32,767. */
export function int16(): ColumnType<"int16", number, false> {
  return new ColumnType("int16", false);
}

/** Whole numbers from −2³¹ to 2³¹ − 1. */
export function int32(): ColumnType<"int32", number, false> {
  return new ColumnType("int32", false);
}

/** Whole numbers from −2⁶³ to 2⁶³ − 1, as `bigint` in JavaScript. */
export function int64(): ColumnType<"int64", bigint, false> {
  return new ColumnType("int64", false);
}

/** Whole numbers from 0 to 255. */
export function uint8(): ColumnType<"uint8", number, false> {
  return new ColumnType("uint8", false);
}

/** Whole numbers from 0 to 65,535. */
export function uint16(): ColumnType<"uint16", number, false> {
  return new ColumnType("uint16", false);
}

/** Whole numbers from 0 to 2³² − 1. */
export function uint32(): ColumnType<"uint32", number, false> {
  return new ColumnType("uint32", false);
}

/** Whole numbers from 0 to 2⁶⁴ − 1, as `bigint` in JavaScript. */
export function uint64(): ColumnType<"uint64", bigint, false> {
  return new ColumnType("uint64", false);
}

/** Floating-point numbers of 32 bits. */
export function float32(): ColumnType<"float32", number, false> {
  return new ColumnType("float32", false);
}

/** Floating-point numbers of 64 bits: JavaScript's own. */
export function float64(): ColumnType<"float64", number, false> {
  return new ColumnType("float64", false);
}

/**
 * Exact decimal numbers with `precision` digits, `scale` of them after the point; text in JavaScript, such as `"12.50"`.
 *
 * @throws PawlError `data.type` where precision is not within 1 to 38, or scale not within 0 to precision.
 */
export function decimal(precision: number, scale: number): ColumnType<"decimal", string, false> {
  if (!Number.isInteger(precision) || precision < 1 || precision > 38)
    throw new PawlError("data.type", `A decimal has 1 to 38 digits, not ${shown(precision)}.`);
  if (!Number.isInteger(scale) || scale < 0 || scale > precision)
    throw new PawlError(
      "data.type",
      `A decimal of ${precision} digits has 0 to ${precision} of them after the point, not ${shown(scale)}.`,
    );
  return new ColumnType("decimal", false, { precision, scale });
}

/** Texts in Unicode. */
export function text(): ColumnType<"text", string, false> {
  return new ColumnType("text", false);
}

/** Bytes, as `Uint8Array` in JavaScript. */
export function bytes(): ColumnType<"bytes", Uint8Array, false> {
  return new ColumnType("bytes", false);
}

/** Days of the calendar, as text in JavaScript: `"2026-01-31"`. */
export function date(): ColumnType<"date", string, false> {
  return new ColumnType("date", false);
}

/** Times of a day without a zone, to the microsecond, as text in JavaScript: `"10:30:00"`. */
export function time(): ColumnType<"time", string, false> {
  return new ColumnType("time", false);
}

/** A day and a time without a zone, to the microsecond, as text in JavaScript: `"2026-01-31T10:30:00.123456"`. */
export function timestamp(): ColumnType<"timestamp", string, false> {
  return new ColumnType("timestamp", false);
}

/** Moments, to the microsecond, as text in UTC in JavaScript: `"2026-01-31T10:30:00.123456Z"`. */
export function timestamptz(): ColumnType<"timestamptz", string, false> {
  return new ColumnType("timestamptz", false);
}

/** UUIDs, as text in lower case in JavaScript. */
export function uuid(): ColumnType<"uuid", string, false> {
  return new ColumnType("uuid", false);
}

/** Any JSON, parsed in JavaScript. A JSON `null` in a column that is not nullable is a value that does not fit. */
export function json(): ColumnType<"json", unknown, false> {
  return new ColumnType("json", false);
}

/** The value of a list: an array. The compiler keeps the type of its elements with it. */
export interface ListOf<T extends ColumnType> extends Array<ValueOf<T>> {
  /** Only for the compiler: the type of the elements. */
  readonly " of"?: T;
}

/** Lists of values of one type, as arrays in JavaScript. */
export function list<T extends ColumnType>(of: T): ColumnType<"list", ListOf<T>, false, T> {
  assertColumnType(of, "The elements of a list");
  return new ColumnType("list", false, { of });
}

/** Values with named fields, as objects in JavaScript. */
export function struct<const S extends FrameSchema>(fields: S): ColumnType<"struct", Row<S>, false, S> {
  return new ColumnType("struct", false, { fields: fieldsOf(fields, "A struct") });
}

/** The fields of a schema in the order of its properties. Throws PawlError("data.schema") for what is not one. */
export function fieldsOf(schema: FrameSchema, what: string): readonly ColumnField[] {
  if (typeof schema !== "object" || schema === null)
    throw new PawlError("data.schema", `${what} needs its columns with their types, not ${shown(schema)}.`);
  return Object.entries(schema).map(([name, type]) => {
    assertColumnType(type, `The column ${JSON.stringify(name)}`);
    return { name, type };
  });
}

/** The schema of fields. */
export function schemaOf(fields: readonly ColumnField[]): FrameSchema {
  const schema: Record<string, ColumnType> = {};
  for (const { name, type } of fields) setOwn(schema, name, type);
  return schema;
}

function assertColumnType(type: unknown, what: string): asserts type is ColumnType {
  if (type instanceof ColumnType) return;
  throw new PawlError(
    "data.schema",
    `${what} needs a type such as text() or int32().nullable(), not ${shown(type)}.`,
  );
}

const INTEGERS: ReadonlySet<Kind> = new Set([
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
]);
const FLOATS: ReadonlySet<Kind> = new Set(["float32", "float64"]);
const TEMPORALS: ReadonlySet<Kind> = new Set(["date", "time", "timestamp", "timestamptz"]);

/** Whether values of a kind are whole numbers. */
export function isInteger(kind: Kind): kind is IntKind {
  return INTEGERS.has(kind);
}

/** Whether values of a kind are floating-point numbers. */
export function isFloat(kind: Kind): kind is FloatKind {
  return FLOATS.has(kind);
}

/** Whether values of a kind are numbers. */
export function isNumber(kind: Kind): kind is NumberKind {
  return kind === "decimal" || isInteger(kind) || isFloat(kind);
}

/** Whether values of a kind are days or moments. */
export function isTemporal(kind: Kind): kind is TemporalKind {
  return TEMPORALS.has(kind);
}

/** A type as a program writes it, such as `decimal(10, 2).nullable()`. */
export function typeText(type: ColumnType): string {
  return `${kindText(type)}${type.isNullable ? ".nullable()" : ""}`;
}

function kindText({ kind, precision, scale, of, fields }: ColumnType): string {
  if (kind === "decimal") return `decimal(${precision}, ${scale})`;
  if (kind === "list" && of !== undefined) return `list(${typeText(of)})`;
  if (kind === "struct" && fields !== undefined)
    return `struct({ ${fields.map((field) => `${JSON.stringify(field.name)}: ${typeText(field.type)}`).join(", ")} })`;
  return `${kind}()`;
}
