import { ELEMENT, META, number, type RowGroup, type TopField } from "./footer.ts";
import { THRIFT, type ThriftStruct } from "./thrift.ts";

/** A value that a column is compared with, in the form in which its statistics can be compared. */
export type Comparable =
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  /** The digits without a point, `scale` of which stand behind it. */
  | { readonly kind: "decimal"; readonly value: bigint; readonly scale: number }
  /** Days since 1970. */
  | { readonly kind: "date"; readonly value: bigint }
  /** Microseconds since 1970. */
  | { readonly kind: "timestamp" | "timestamptz"; readonly value: bigint };

/** What the values of a column must meet in every row that is wanted. A null meets none but `isNull`. */
export type ColumnTest =
  | { readonly column: string; readonly op: Operator; readonly value: Comparable }
  | { readonly column: string; readonly op: "in"; readonly values: readonly Comparable[] }
  | { readonly column: string; readonly op: "isNull" }
  | { readonly column: string; readonly op: "notNull" };

/**
 * Whether no row of a row group can meet a test, by the statistics that its writer has left. False wherever they are missing, of
 * another type, or of an order that is not defined.
 */
export function excludes(group: RowGroup, field: TopField, test: ColumnTest): boolean {
  if (!field.isPlain) return false;
  const meta = group.chunks[field.leaves.from]?.meta;
  const found = meta?.get(META.statistics)?.value;
  if (meta === undefined || !(found instanceof Map)) return false;
  const nulls = number(found, STATISTICS.nulls);
  const allNull = nulls !== null && group.rows > 0 && nulls === group.rows;
  if (test.op === "isNull") return nulls === 0;
  if (allNull) return true;
  if (test.op === "notNull") return false;
  const kind = kindOf(field.element);
  if (kind === null) return false;
  if (test.op === "in") return test.values.every((value) => isOutside(kind, found, "eq", value));
  return isOutside(kind, found, test.op, test.value);
}

const STATISTICS = { oldMax: 1, oldMin: 2, nulls: 3, max: 5, min: 6 };

/** How a value is decoded from statistics: `scale` multiplies it to microseconds or days, `divide` rounds it to them. */
interface Kind {
  readonly kind: Comparable["kind"];
  readonly decode: (bytes: Buffer) => bigint | number | boolean | null;
  /** Nanoseconds that one unit of ours has of its own; 1 where they are the same. */
  readonly divide: bigint;
  readonly multiply: bigint;
  /** Digits behind the point of a decimal. */
  readonly scale: number;
  /** Whether the fields of old, which were compared as signed numbers, mean the same. */
  readonly mayBeOld: boolean;
}

type Operator = "eq" | "lt" | "le" | "gt" | "ge";

function isOutside(kind: Kind, statistics: ThriftStruct, op: Operator, value: Comparable): boolean {
  if (value.kind !== kind.kind) return false;
  if (kind.kind === "text") return isTextOutside(statistics, op, value.value as string);
  let min = decoded(kind, statistics, "min");
  let max = decoded(kind, statistics, "max");
  let wanted = value.value;
  if (value.kind === "decimal") {
    const scale = Math.max(value.scale, kind.scale);
    wanted = value.value * 10n ** BigInt(scale - value.scale);
    const factor = 10n ** BigInt(scale - kind.scale);
    if (typeof min === "bigint") min *= factor;
    if (typeof max === "bigint") max *= factor;
  }
  if (typeof wanted === "number" && Number.isNaN(wanted)) return false;
  // A NaN is greater than every number, and stands in no statistics.
  const mayHoldMore = kind.kind === "float";
  const above = max !== null && !mayHoldMore && wanted > max;
  const notBelow = max !== null && !mayHoldMore && wanted >= max;
  switch (op) {
    case "eq":
      return (max !== null && wanted > max) || (min !== null && wanted < min);
    case "lt":
      return min !== null && wanted <= min;
    case "le":
      return min !== null && wanted < min;
    case "gt":
      return notBelow;
    case "ge":
      return above;
  }
}

/** Of texts the bounds may be cut: the lower one is then less than all, and the upper one greater. */
function isTextOutside(statistics: ThriftStruct, op: Operator, wanted: string): boolean {
  const value = Buffer.from(wanted);
  const min = bytesOf(statistics, STATISTICS.min);
  const max = bytesOf(statistics, STATISTICS.max);
  const toMin = min === null ? 1 : Buffer.compare(value, min);
  const toMax = max === null ? -1 : Buffer.compare(value, max);
  switch (op) {
    case "eq":
      return toMin < 0 || toMax > 0;
    case "lt":
      return min !== null && toMin <= 0;
    case "le":
      return min !== null && toMin < 0;
    case "gt":
      return max !== null && toMax >= 0;
    case "ge":
      return max !== null && toMax > 0;
  }
}

function decoded(
  kind: Kind,
  statistics: ThriftStruct,
  which: "min" | "max",
): bigint | number | boolean | null {
  const ids = which === "min" ? [STATISTICS.min, STATISTICS.oldMin] : [STATISTICS.max, STATISTICS.oldMax];
  const bytes =
    bytesOf(statistics, ids[0] as number) ?? (kind.mayBeOld ? bytesOf(statistics, ids[1] as number) : null);
  const value = bytes === null ? null : kind.decode(bytes);
  if (typeof value === "number" && Number.isNaN(value)) return null;
  if (typeof value !== "bigint") return value;
  const scaled = value * kind.multiply;
  if (kind.divide === 1n) return scaled;
  // Rounded away from the values, so that the bounds hold.
  const floor = scaled / kind.divide - (scaled % kind.divide < 0n ? 1n : 0n);
  return which === "min" || floor * kind.divide === scaled ? floor : floor + 1n;
}

function bytesOf(statistics: ThriftStruct, id: number): Buffer | null {
  const value = statistics.get(id)?.value;
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : null;
}

const TYPE = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, bytes: 6 };
const CONVERTED = {
  utf8: 0,
  decimal: 5,
  date: 6,
  timestampMillis: 9,
  timestampMicros: 10,
  uint8: 11,
  uint64: 14,
  int8: 15,
  int64: 18,
};
const LOGICAL = { string: 1, decimal: 5, date: 6, timestamp: 8, integer: 10 };

const int32 = (bytes: Buffer) => (bytes.length === 4 ? BigInt(bytes.readInt32LE(0)) : null);
const int64 = (bytes: Buffer) => (bytes.length === 8 ? bytes.readBigInt64LE(0) : null);
const uint32 = (bytes: Buffer) => (bytes.length === 4 ? BigInt(bytes.readUInt32LE(0)) : null);
const uint64 = (bytes: Buffer) => (bytes.length === 8 ? bytes.readBigUInt64LE(0) : null);

function kindOf(element: ThriftStruct): Kind | null {
  const type = number(element, ELEMENT.type);
  const converted = number(element, ELEMENT.converted);
  const logical = logicalOf(element);
  const plain = (kind: Comparable["kind"], decode: Kind["decode"], mayBeOld = true): Kind => ({
    kind,
    decode,
    divide: 1n,
    multiply: 1n,
    scale: 0,
    mayBeOld,
  });
  const scale = decimalScaleOf(element, logical, converted);
  if (scale !== null) return { ...plain("decimal", decimalDecoder(type), false), scale };
  if (type === TYPE.boolean) return plain("boolean", (bytes) => (bytes.length === 1 ? bytes[0] === 1 : null));
  if (type === TYPE.float)
    return plain("float", (bytes) => (bytes.length === 4 ? bytes.readFloatLE(0) : null));
  if (type === TYPE.double)
    return plain("float", (bytes) => (bytes.length === 8 ? bytes.readDoubleLE(0) : null));
  if (type === TYPE.bytes)
    return logical?.id === LOGICAL.string || converted === CONVERTED.utf8 ? plain("text", () => null) : null;
  if (type !== TYPE.int32 && type !== TYPE.int64) return null;
  const signed = type === TYPE.int32 ? int32 : int64;
  if (logical?.id === LOGICAL.date || (logical === null && converted === CONVERTED.date))
    return plain("date", signed);
  if (logical?.id === LOGICAL.timestamp) return timestampKind(logical.struct, signed);
  if (logical === null && converted === CONVERTED.timestampMillis)
    return { ...plain("timestamptz", signed), multiply: 1000n };
  if (logical === null && converted === CONVERTED.timestampMicros) return plain("timestamptz", signed);
  const isInteger =
    (logical === null && converted === null) ||
    logical?.id === LOGICAL.integer ||
    (logical === null && converted !== null && converted >= CONVERTED.uint8 && converted <= CONVERTED.int64);
  if (!isInteger) return null;
  const isUnsigned =
    logical?.id === LOGICAL.integer
      ? logical.struct.get(2)?.value === false
      : converted !== null && converted >= CONVERTED.uint8 && converted <= CONVERTED.uint64;
  return isUnsigned ? plain("int", type === TYPE.int32 ? uint32 : uint64, false) : plain("int", signed);
}

/** Digits behind the point; null of what is not a decimal. */
function decimalScaleOf(
  element: ThriftStruct,
  logical: ReturnType<typeof logicalOf>,
  converted: number | null,
): number | null {
  if (logical?.id === LOGICAL.decimal) return number(logical.struct, 1) ?? 0;
  return logical === null && converted === CONVERTED.decimal ? (number(element, ELEMENT.scale) ?? 0) : null;
}

/** Decimals are whole numbers, or bytes of one in two's complement, the highest first. */
function decimalDecoder(type: number | null): Kind["decode"] {
  if (type === TYPE.int32) return int32;
  if (type === TYPE.int64) return int64;
  return (bytes) =>
    bytes.length === 0 || bytes.length > 32
      ? null
      : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString("hex")}`));
}

function timestampKind(struct: ThriftStruct, decode: Kind["decode"]): Kind | null {
  const unit = struct.get(2)?.value;
  const [id] = unit instanceof Map ? unit.keys() : [];
  const kind = struct.get(1)?.value === true ? "timestamptz" : "timestamp";
  if (id === 1) return { kind, decode, multiply: 1000n, divide: 1n, scale: 0, mayBeOld: true };
  if (id === 2) return { kind, decode, multiply: 1n, divide: 1n, scale: 0, mayBeOld: true };
  if (id === 3) return { kind, decode, multiply: 1n, divide: 1000n, scale: 0, mayBeOld: true };
  return null;
}

/** The member of the union that is set; null of an element without a logical type. */
function logicalOf(element: ThriftStruct): { readonly id: number; readonly struct: ThriftStruct } | null {
  const union = element.get(ELEMENT.logical);
  if (union?.type !== THRIFT.struct) return null;
  for (const [id, { value }] of union.value as ThriftStruct)
    if (value instanceof Map) return { id, struct: value };
  return null;
}
