import type { LiteralValue } from "../../../src/data/expr/node.ts";
import { type ColumnType, isFloat, isInteger, type Kind } from "../../../src/data/schema/column-type.ts";

/**
 * A value as the evaluator holds it: whole numbers, days and microseconds since 1970 as bigint, floats as number, decimals with all their
 * digits. Nothing of it is shared with an engine.
 */
export type Cell = null | boolean | bigint | number | string | Decimal | Uint8Array | readonly Cell[];

/** `unscaled` divided by ten to the power of `scale`. */
export class Decimal {
  readonly unscaled: bigint;
  readonly scale: number;

  constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled;
    this.scale = scale;
  }

  static parse(text: string): Decimal | null {
    const match = /^\s*([+-]?)(\d*)(?:\.(\d*))?\s*$/.exec(text);
    if (match === null || `${match[2]}${match[3] ?? ""}` === "") return null;
    const fraction = match[3] ?? "";
    const digits = BigInt(`${match[2]}${fraction}`);
    return new Decimal(match[1] === "-" ? -digits : digits, fraction.length);
  }

  /** Rounded half away from zero where digits are lost. */
  rescaled(scale: number): Decimal {
    if (scale >= this.scale) return new Decimal(this.unscaled * 10n ** BigInt(scale - this.scale), scale);
    const divisor = 10n ** BigInt(this.scale - scale);
    const quotient = this.unscaled / divisor;
    const rest = this.unscaled % divisor;
    const up = 2n * (rest < 0n ? -rest : rest) >= divisor;
    return new Decimal(up ? quotient + (this.unscaled < 0n ? -1n : 1n) : quotient, scale);
  }

  toNumber(): number {
    return Number(this.toString());
  }

  toString(): string {
    if (this.scale === 0) return String(this.unscaled);
    const negative = this.unscaled < 0n;
    const digits = String(negative ? -this.unscaled : this.unscaled).padStart(this.scale + 1, "0");
    return `${negative ? "-" : ""}${digits.slice(0, -this.scale)}.${digits.slice(-this.scale)}`;
  }
}

/** What a program would be told: a value that does not fit, an overflow. */
export class EvaluationError extends Error {}

const RANGES: Readonly<Partial<Record<Kind, readonly [bigint, bigint]>>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Whether a whole number fits into a kind. */
export function fits(value: bigint, kind: Kind): boolean {
  const range = RANGES[kind];
  return range === undefined || (value >= range[0] && value <= range[1]);
}

/** The whole number, or an error where it does not fit. */
export function fitting(value: bigint, kind: Kind): bigint {
  if (fits(value, kind)) return value;
  throw new EvaluationError(`${value} does not fit into ${kind}`);
}

/** A literal of a plan as a cell. */
export function cellOf(value: LiteralValue, type: ColumnType): Cell {
  if (value === null) return null;
  const { kind } = type;
  if (isInteger(kind)) return BigInt(value);
  if (isFloat(kind)) return kind === "float32" ? Math.fround(Number(value)) : Number(value);
  if (kind === "decimal")
    return (Decimal.parse(String(value)) ?? wrong(value, kind)).rescaled(type.scale ?? 0);
  if (kind === "bool") return value === true;
  if (kind === "date") return daysOf(String(value)) ?? wrong(value, kind);
  if (kind === "time") return microsOfDay(String(value)) ?? wrong(value, kind);
  if (kind === "timestamp" || kind === "timestamptz") return microsOf(String(value)) ?? wrong(value, kind);
  if (kind === "bytes") return new Uint8Array(Buffer.from(String(value), "base64"));
  if (kind === "list") {
    const element = type.of;
    if (element === undefined) return wrong(value, kind);
    return (JSON.parse(String(value)) as LiteralValue[]).map((each) => cellOf(each, element));
  }
  return String(value);
}

function wrong(value: unknown, kind: Kind): never {
  throw new Error(`${String(value)} is not a literal of ${kind}`);
}

const DAY = 86_400_000_000n;

/** Days since 1970 of `2026-01-31`; null where it is not a day of the calendar. */
export function daysOf(text: string): bigint | null {
  const match = /^\s*(\d{4,6})-(\d\d)-(\d\d)\s*$/.exec(text);
  if (match === null) return null;
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  const days = dayNumber(year, month, day);
  const back = civil(days);
  return back.month === month && back.day === day ? days : null;
}

/** Days since 1970 of a day of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
export function dayNumber(year: number, month: number, day: number): bigint {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return BigInt(era * 146_097 + dayOfEra - 719_468);
}

/** Year, month and day of days since 1970. */
export function civil(days: bigint): { year: number; month: number; day: number } {
  const shifted = Number(days) + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const part = Math.floor((5 * dayOfYear + 2) / 153);
  const month = part + (part < 10 ? 3 : -9);
  const day = dayOfYear - Math.floor((153 * part + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** Microseconds of a time of day; null where it is none. */
function microsOfDay(text: string): bigint | null {
  const match = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$/.exec(text);
  if (match === null) return null;
  const [hours, minutes, seconds] = [match[1], match[2], match[3] ?? "0"].map(Number) as [
    number,
    number,
    number,
  ];
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  return BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000n + BigInt((match[4] ?? "").padEnd(6, "0"));
}

/** Microseconds since 1970 of a moment; null where it is none. */
export function microsOf(text: string): bigint | null {
  const match = /^\s*(\d{4,6}-\d\d-\d\d)(?:[T ]([\d:.]+))?(Z|[+-]\d\d(?::?\d\d)?)?\s*$/.exec(text);
  if (match === null) return null;
  const days = daysOf(match[1] ?? "");
  const inDay = match[2] === undefined ? 0n : microsOfDay(match[2]);
  if (days === null || inDay === null) return null;
  return days * DAY + inDay - zoneOf(match[3]);
}

function zoneOf(zone: string | undefined): bigint {
  const match = /^([+-])(\d\d):?(\d\d)?$/.exec(zone ?? "");
  if (match === null) return 0n;
  const minutes = BigInt(Number(match[2]) * 60 + Number(match[3] ?? 0));
  return (match[1] === "-" ? -minutes : minutes) * 60_000_000n;
}

/** The day that a moment lies in, and how far into it the moment is. */
export function splitMoment(micros: bigint): { days: bigint; inDay: bigint } {
  const inDay = ((micros % DAY) + DAY) % DAY;
  return { days: (micros - inDay) / DAY, inDay };
}

/** `2026-01-31`. */
export function dateText(days: bigint): string {
  const { year, month, day } = civil(days);
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const fraction = micros % 1_000_000n;
  return fraction === 0n ? text : `${text}.${String(fraction).padStart(6, "0")}`;
}

/** A cell as rows have it in JavaScript. */
export function jsOf(cell: Cell, type: ColumnType): unknown {
  if (cell === null) return null;
  const { kind } = type;
  if (kind === "int64" || kind === "uint64") return type.isSafe === true ? Number(cell) : cell;
  if (isInteger(kind)) return Number(cell);
  if (cell instanceof Decimal) return cell.toString();
  if (kind === "date") return dateText(cell as bigint);
  if (kind === "time") return timeText(cell as bigint);
  if (kind === "timestamp" || kind === "timestamptz") {
    const { days, inDay } = splitMoment(cell as bigint);
    return `${dateText(days)}T${timeText(inDay)}${kind === "timestamptz" ? "Z" : ""}`;
  }
  if (kind === "list" && type.of !== undefined) {
    const element = type.of;
    return (cell as readonly Cell[]).map((each) => jsOf(each, element));
  }
  return cell;
}

/**
 * The order of two values that are not null: -1, 0 or 1. NaN equals itself and is larger than all numbers; texts are ordered by their code
 * points; numbers of different kinds by their value, as floats as soon as one of them is.
 */
export function compare(a: Cell, b: Cell): number {
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return sign(Number(a) - Number(b));
  if (typeof a === "number" || typeof b === "number") return compareFloats(asFloat(a), asFloat(b));
  if (a instanceof Decimal || b instanceof Decimal) {
    const [left, right] = [asDecimal(a), asDecimal(b)];
    const scale = Math.max(left.scale, right.scale);
    return compareBigInts(left.rescaled(scale).unscaled, right.rescaled(scale).unscaled);
  }
  if (typeof a === "bigint" && typeof b === "bigint") return compareBigInts(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(a, b);
  throw new Error(`${typeof a} and ${typeof b} have no order`);
}

/** Whether two values are the same group: nulls are. */
export function same(a: Cell, b: Cell): boolean {
  return a === null || b === null ? a === b : compare(a, b) === 0;
}

/** Nulls last whatever the direction. */
export function compareForSort(a: Cell, b: Cell, descending: boolean): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return descending ? compare(b, a) : compare(a, b);
}

function compareLists(a: readonly Cell[], b: readonly Cell[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compareForSort(a[index] as Cell, b[index] as Cell, false);
    if (order !== 0) return order;
  }
  return sign(a.length - b.length);
}

function compareTexts(a: string, b: string): number {
  return sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return sign(Number(Number.isNaN(a)) - Number(Number.isNaN(b)));
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareBigInts(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sign(value: number): number {
  return Math.sign(value);
}

/** A number of any kind as a float. */
export function asFloat(cell: Cell): number {
  if (cell instanceof Decimal) return cell.toNumber();
  return Number(cell);
}

/** A whole number or decimal with all its digits. */
export function asDecimal(cell: Cell): Decimal {
  return cell instanceof Decimal ? cell : new Decimal(cell as bigint, 0);
}
