import type { ColumnNode, ExpressionNode, LiteralNode } from "../expr/node.ts";
import { isFloat, isInteger } from "../schema/column-type.ts";
import type { ColumnTest, Comparable } from "./parquet/statistics.ts";

/** The conditions that all must hold, of those that are joined by `and`. */
export function conjunctsOf(node: ExpressionNode): readonly ExpressionNode[] {
  if (node.kind === "call" && node.function === "and") return node.arguments.flatMap(conjunctsOf);
  return [node];
}

const FLIPPED = { eq: "eq", lt: "gt", le: "ge", gt: "lt", ge: "le" } as const;

/**
 * What the conditions say of single columns, in a form that statistics can be compared with. What they say besides is left out, so
 * that rows which meet the tests need not meet the conditions.
 */
export function testsOf(conditions: readonly ExpressionNode[]): readonly ColumnTest[] {
  return conditions.flatMap(conjunctsOf).flatMap((node) => {
    const [column, low, high] = node.kind === "call" && node.function === "between" ? node.arguments : [];
    if (column?.kind === "column" && low?.kind === "literal" && high?.kind === "literal")
      return [compared(column, "ge", low), compared(column, "le", high)].filter((test) => test !== null);
    const test = testOf(node);
    return test === null ? [] : [test];
  });
}

function testOf(node: ExpressionNode): ColumnTest | null {
  if (node.kind !== "call") return null;
  const [first, second, ...more] = node.arguments;
  switch (node.function) {
    case "eq":
    case "lt":
    case "le":
    case "gt":
    case "ge": {
      const op = node.function;
      if (first?.kind === "column" && second?.kind === "literal") return compared(first, op, second);
      if (first?.kind === "literal" && second?.kind === "column") return compared(second, FLIPPED[op], first);
      return null;
    }
    case "in": {
      if (first?.kind !== "column") return null;
      const values = [second, ...more].map((each) =>
        each?.kind === "literal" ? comparable(first, each) : null,
      );
      const known = values.filter((each) => each !== null);
      return known.length === values.length ? { column: first.name, op: "in", values: known } : null;
    }
    case "isNull":
      return first?.kind === "column" ? { column: first.name, op: "isNull" } : null;
    case "isNotNull":
      return first?.kind === "column" ? { column: first.name, op: "notNull" } : null;
    case "not": {
      const isNull = first?.kind === "call" && first.function === "isNull" ? first.arguments[0] : undefined;
      return isNull?.kind === "column" ? { column: isNull.name, op: "notNull" } : null;
    }
    default:
      return null;
  }
}

function compared(column: ColumnNode, op: keyof typeof FLIPPED, literal: LiteralNode): ColumnTest | null {
  const value = comparable(column, literal);
  return value === null ? null : { column: column.name, op, value };
}

/** A literal in the form of the column's values; null where it is of another one. */
function comparable({ type: { kind } }: ColumnNode, { value, type }: LiteralNode): Comparable | null {
  if (value === null) return null;
  const isWhole = isInteger(type.kind);
  if (isInteger(kind)) return isWhole ? { kind: "int", value: BigInt(value) } : null;
  if (isFloat(kind)) {
    if (!isWhole && !isFloat(type.kind)) return null;
    const number = Number(value);
    // A larger whole number has no exact neighbour among floating-point numbers.
    if (isWhole && !Number.isSafeInteger(number)) return null;
    // An engine may compare in 32 bits, where other numbers are equal.
    if (kind === "float32" && Math.fround(number) !== number) return null;
    return { kind: "float", value: number };
  }
  if (kind === "decimal") return isWhole || type.kind === kind ? decimalOf(String(value)) : null;
  if (type.kind !== kind) return null;
  if (kind === "text") return { kind, value: String(value) };
  if (kind === "bool") return typeof value === "boolean" ? { kind: "boolean", value } : null;
  if (kind === "date") {
    const days = daysOf(String(value));
    return days === null ? null : { kind, value: days };
  }
  if (kind === "timestamp" || kind === "timestamptz") {
    const micros = microsOf(String(value), kind === "timestamptz");
    return micros === null ? null : { kind, value: micros };
  }
  return null;
}

function decimalOf(text: string): Comparable | null {
  const [, whole, fraction = ""] = /^([+-]?\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  return whole === undefined
    ? null
    : { kind: "decimal", value: BigInt(whole + fraction), scale: fraction.length };
}

const DAY_MICROS = 86_400_000_000n;

/** Days since 1970 of an ISO date; null of what is not one. */
export function daysOf(text: string): bigint | null {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  if (year === undefined) return null;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Years before 100 are taken for those of the 20th century.
  return Number.isNaN(ms) || Number(year) < 100
    ? null
    : BigInt(ms) / 86_400_000n - (ms < 0 && ms % 86_400_000 !== 0 ? 1n : 0n);
}

/** Microseconds since 1970 of an ISO timestamp, in UTC where it has no zone; null of what is not one. */
export function microsOf(text: string, mayHaveZone: boolean): bigint | null {
  const parts =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(
      text,
    );
  if (parts === null) return null;
  const [, day = "", hours = "0", minutes = "0", seconds = "0", fraction = "", zone] = parts;
  const days = daysOf(day);
  if (days === null || (zone !== undefined && !mayHaveZone)) return null;
  const time = BigInt(hours) * 3600n + BigInt(minutes) * 60n + BigInt(seconds);
  const micros = days * DAY_MICROS + time * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
  return micros - offsetOf(zone);
}

function offsetOf(zone: string | undefined): bigint {
  const [, sign, hours = "0", minutes = "0"] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone ?? "Z") ?? [];
  if (sign === undefined) return 0n;
  const micros = (BigInt(hours) * 3600n + BigInt(minutes) * 60n) * 1_000_000n;
  return sign === "-" ? -micros : micros;
}
