import { quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import {
  bool,
  type ColumnType,
  float64,
  int64,
  isNumber,
  isTemporal,
  text,
  timestamptz,
  typeText,
} from "../schema/column-type.ts";
import type { LiteralNode } from "./node.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** A value of the program as a literal of the type that fits it. Throws PawlError("data.literal") for what none fits. */
export function literal(value: unknown): LiteralNode {
  if (typeof value === "string") return { kind: "literal", value, type: text() };
  if (typeof value === "boolean") return { kind: "literal", value, type: bool() };
  if (typeof value === "number")
    return Number.isSafeInteger(value) && !Object.is(value, -0)
      ? { kind: "literal", value, type: int64() }
      : { kind: "literal", value: numberText(value), type: float64() };
  if (typeof value === "bigint") return { kind: "literal", value: int64Text(value), type: int64() };
  if (value instanceof Date) return { kind: "literal", value: isoOf(value), type: timestamptz() };
  throw new PawlError(
    "data.literal",
    `${shown(value)} cannot stand in an expression: give a text, number, bigint, boolean, Date or another expression.`,
  );
}

/** A value of the program as a literal that is compared with values of `type`. `name` is the method that was called. */
export function literalLike(value: unknown, type: ColumnType, name: string): LiteralNode {
  if (value === null)
    throw new PawlError("data.literal", `${name}() with null is never true: use isNull() or isNotNull().`);
  const { kind } = type;
  if (isNumber(kind) && (typeof value === "number" || typeof value === "bigint")) return literal(value);
  if (isTemporal(kind) && (typeof value === "string" || value instanceof Date))
    return { kind: "literal", value: temporalText(value, type, name), type: type.notNull() };
  if ((kind === "text" || kind === "uuid" || kind === "json") && typeof value === "string")
    return { kind: "literal", value, type: type.notNull() };
  if (kind === "bool" && typeof value === "boolean") return literal(value);
  if (kind === "bytes" && value instanceof Uint8Array)
    return { kind: "literal", value: Buffer.from(value).toString("base64"), type: type.notNull() };
  throw new PawlError(
    "data.types",
    `${name}() is given ${quoted(value)} where a value of ${typeText(type.notNull())} is needed.`,
  );
}

/** A number that is not whole as text, which JSON has no words for where it is not finite. */
function numberText(value: number): number | string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : value;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

function int64Text(value: bigint): number | string {
  if (value < INT64_MIN || value > INT64_MAX)
    throw new PawlError("data.literal", `${value} does not fit into an int64, from −2⁶³ to 2⁶³ − 1.`);
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value.toString();
}

function isoOf(value: Date): string {
  if (Number.isNaN(value.getTime())) throw new PawlError("data.literal", "This Date is not a moment.");
  return value.toISOString();
}

const TEMPORAL_TEXTS: Readonly<Record<string, RegExp>> = {
  date: /^\d{4,6}-\d\d-\d\d$/,
  time: /^\d\d:\d\d(:\d\d(\.\d{1,6})?)?$/,
  timestamp: /^\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$/,
  timestamptz: /^\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?))?$/,
};

/** The ISO text of a day or moment. A Date is a moment in UTC. */
function temporalText(value: string | Date, { kind }: ColumnType, name: string): string {
  const iso = value instanceof Date ? isoOf(value) : value;
  const given =
    value instanceof Date
      ? kind === "date"
        ? iso.slice(0, 10)
        : kind === "time"
          ? iso.slice(11, 23)
          : kind === "timestamp"
            ? iso.slice(0, -1)
            : iso
      : iso;
  if (TEMPORAL_TEXTS[kind]?.test(given) === true && !Number.isNaN(Date.parse(dayOf(given)))) return given;
  throw new PawlError(
    "data.literal",
    `${name}() is given ${quoted(value)}, which is not a ${kind}: write ${EXAMPLES[kind] ?? "its ISO form"}.`,
  );
}

const EXAMPLES: Readonly<Record<string, string>> = {
  date: '"2026-01-31"',
  time: '"10:30:00"',
  timestamp: '"2026-01-31T10:30:00"',
  timestamptz: '"2026-01-31T10:30:00Z"',
};

function dayOf(text: string): string {
  return /^\d{4,6}-/.test(text) ? text.slice(0, 10) : "1970-01-01";
}
