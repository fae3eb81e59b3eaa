import { isDate } from "node:util/types";
import { quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import {
  bool,
  type ColumnType,
  decimal,
  float64,
  int64,
  isFloat,
  isInteger,
  type Kind,
  text,
  timestamptz,
  typeText,
} from "../schema/column-type.ts";
import type { LiteralNode, LiteralValue } from "./node.ts";

/** The smallest and the largest whole number of a kind. */
const RANGES: Partial<Readonly<Record<Kind, readonly [low: bigint, high: bigint]>>> = {
  int8: [-128n, 127n],
  int16: [-32_768n, 32_767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
  uint16: [0n, 65_535n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Numbers from here on have an exponent in their text: they are floating-point numbers, not whole ones. */
const WHOLE_LIMIT = 1e21;

/**
 * A value of the program on its own: a number is a float64, a bigint an int64, a Date a timestamptz. Throws PawlError("data.literal")
 * for what has no type of its own.
 */
export function literal(value: unknown): LiteralNode {
  if (typeof value === "string") return literalOf(value, text(), "An expression");
  if (typeof value === "boolean") return { kind: "literal", value, type: bool() };
  if (typeof value === "number") return { kind: "literal", value: floatValue(value), type: float64() };
  if (typeof value === "bigint") return literalOf(value, int64(), "An expression");
  if (isDate(value)) return literalOf(value, timestamptz(), "An expression");
  if (value === null)
    throw new PawlError("data.literal", "A null has no type of its own: write lit(null, text()).");
  throw new PawlError(
    "data.literal",
    `${shown(value)} cannot stand in an expression: give a text, number, bigint, boolean, Date or another expression, or its type with lit(value, type).`,
  );
}

/** A value of the program as a literal of exactly this type. `what` begins the sentence of the PawlError("data.literal") for one that does not fit. */
export function literalOf(value: unknown, type: ColumnType, what: string): LiteralNode {
  if (value === null || value === undefined) {
    if (value === null && type.isNullable) return { kind: "literal", value: null, type };
    throw new PawlError(
      "data.literal",
      `${what} is given ${shown(value)} where ${typeText(type)} is needed.`,
    );
  }
  return { kind: "literal", value: literalValue(value, type, what), type: type.notNull() };
}

/**
 * A value of the program as a literal that is compared with values of `type`: a number need not fit the type, so that `c.small.lt(1000)`
 * is true of all. `name` is the method that was called.
 */
export function literalLike(value: unknown, type: ColumnType, name: string): LiteralNode {
  const what = `${name}()`;
  if (value === null)
    throw new PawlError(
      "data.literal",
      `${what} with null is never true: use isNull(), isNotNull() or eqNull().`,
    );
  if (isInteger(type.kind) && isNumeric(value))
    return fits(value, type) ? literalOf(value, type, what) : numberOf(value, what);
  if (isFloat(type.kind) && isNumeric(value))
    return { kind: "literal", value: floatValue(Number(value)), type: float64() };
  if (type.kind === "decimal" && (isNumeric(value) || typeof value === "string"))
    return decimalOf(value, what);
  return literalOf(value, type, what);
}

/**
 * A number of the program as an operand of arithmetic with values of `type`: beside whole numbers a whole number is an int64 and another
 * a float64, beside decimals it is a decimal with the digits of its text.
 */
export function operandOf(value: unknown, type: ColumnType, name: string): LiteralNode {
  const what = `${name}()`;
  if (type.kind === "decimal" && (isNumeric(value) || typeof value === "string"))
    return decimalOf(value, what);
  if (!isNumeric(value))
    throw new PawlError(
      "data.types",
      `${what} needs a number or an expression of numbers, not ${quoted(value)}.`,
    );
  if (isFloat(type.kind)) return { kind: "literal", value: floatValue(Number(value)), type: float64() };
  return numberOf(value, what);
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function fits(value: number | bigint, { kind }: ColumnType): boolean {
  if (typeof value === "number" && !Number.isInteger(value)) return false;
  const range = own(RANGES, kind);
  return range !== undefined && BigInt(value) >= range[0] && BigInt(value) <= range[1];
}

function numberOf(value: number | bigint, what: string): LiteralNode {
  if (typeof value === "number" && !(Number.isInteger(value) && Math.abs(value) < WHOLE_LIMIT))
    return { kind: "literal", value: floatValue(value), type: float64() };
  return literalOf(value, int64(), what);
}

/** A decimal of exactly the digits that are given. */
function decimalOf(value: number | bigint | string, what: string): LiteralNode {
  const digits = decimalParts(value, what, "a decimal");
  const scale = digits.fraction.length;
  const precision = Math.max(1, digits.whole.length + scale);
  if (precision > 38)
    throw new PawlError("data.literal", `${what} is given ${quoted(value)}, which has more than 38 digits.`);
  return { kind: "literal", value: decimalText(digits, scale), type: decimal(precision, scale) };
}

interface DecimalParts {
  readonly sign: string;
  readonly whole: string;
  readonly fraction: string;
}

function decimalParts(value: unknown, what: string, wanted: string): DecimalParts {
  const given = isNumeric(value) ? plainText(value) : value;
  const match = typeof given === "string" ? /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(given) : null;
  const [, sign = "", whole = "", fraction = ""] = match ?? [];
  if (match === null || whole + fraction === "")
    throw new PawlError("data.literal", `${what} is given ${quoted(value)} where ${wanted} is needed.`);
  return { sign: sign === "-" ? "-" : "", whole: whole.replace(/^0+/, ""), fraction };
}

/** The shortest text of a number without an exponent, where there is one that is not absurdly long. */
function plainText(value: number | bigint): string {
  const short = value.toString();
  const match = /^(-?)(\d)(?:\.(\d+))?e-(\d+)$/.exec(short);
  if (match === null) return short;
  const [, sign = "", first = "", others = "", places = ""] = match;
  return Number(places) > 38 ? short : `${sign}0.${"0".repeat(Number(places) - 1)}${first}${others}`;
}

function decimalText({ sign, whole, fraction }: DecimalParts, scale: number): string {
  return `${sign}${whole === "" ? "0" : whole}${scale === 0 ? "" : `.${fraction.padEnd(scale, "0")}`}`;
}

/** A number that is not whole as text, which JSON has no words for where it is not finite. */
function floatValue(value: number): number | string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : value;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

function literalValue(value: unknown, type: ColumnType, what: string): LiteralValue {
  const { kind } = type;
  if (isInteger(kind)) return wholeValue(value, type, what);
  if (isFloat(kind) && isNumeric(value)) return floatValue(Number(value));
  switch (kind) {
    case "decimal": {
      const parts = decimalParts(value, what, typeText(type.notNull()));
      const fraction = parts.fraction.replace(/0+$/, "");
      const { precision = 38, scale = 0 } = type;
      if (fraction.length > scale || parts.whole.length > precision - scale) refuse(value, type, what);
      return decimalText({ ...parts, fraction }, scale);
    }
    case "bool":
      return typeof value === "boolean" ? value : refuse(value, type, what);
    case "text":
      return typeof value === "string" && value.isWellFormed() ? value : refuse(value, type, what);
    case "uuid":
      return typeof value === "string" && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value)
        ? value.toLowerCase()
        : refuse(value, type, what);
    case "bytes":
      return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : refuse(value, type, what);
    case "json":
      return jsonText(value, type, what);
    case "list":
      return JSON.stringify(listValues(value, type, what));
    case "struct":
      return JSON.stringify(structValues(value, type, what));
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
      return temporalText(value, type, what);
    default:
      return refuse(value, type, what);
  }
}

function refuse(value: unknown, type: ColumnType, what: string): never {
  throw new PawlError(
    "data.literal",
    `${what} is given ${quoted(value)} where a value of ${typeText(type.notNull())} is needed.`,
  );
}

function wholeValue(value: unknown, type: ColumnType, what: string): LiteralValue {
  if (!isNumeric(value) || !fits(value, type)) return refuse(value, type, what);
  // BigInt takes the sign off a zero, which whole numbers do not have.
  const whole = BigInt(value);
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole.toString();
}

function jsonText(value: unknown, type: ColumnType, what: string): string {
  try {
    const made: string | undefined = JSON.stringify(value);
    if (made !== undefined) return made;
  } catch {
    // Such as a circle or a bigint: refused like what has no JSON at all.
  }
  return refuse(value, type, what);
}

/** A value within a list or struct: what stands by itself as JSON stands in there as it is. */
function nestedValue(value: unknown, type: ColumnType, what: string): unknown {
  const stored = literalOf(value, type, what).value;
  const isJson = type.kind === "list" || type.kind === "struct" || type.kind === "json";
  return isJson && typeof stored === "string" ? (JSON.parse(stored) as unknown) : stored;
}

/** The elements of a list in the form of literals. */
function listValues(value: unknown, type: ColumnType, what: string): readonly unknown[] {
  const { of } = type;
  if (!Array.isArray(value) || of === undefined) return refuse(value, type, what);
  return Array.from(value as readonly unknown[], (each) => nestedValue(each, of, what));
}

/** The fields of a struct in the form of literals, by name. */
function structValues(value: unknown, type: ColumnType, what: string): Readonly<Record<string, unknown>> {
  const { fields = [] } = type;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(value, type, what);
  const given = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given))
    if (!fields.some((field) => field.name === name))
      throw new PawlError(
        "data.literal",
        `${what} is given a struct with ${quoted(name)}, which is not one of its fields.`,
      );
  return Object.fromEntries(
    fields.map((field) => [
      field.name,
      nestedValue(own(given, field.name) ?? null, field.type, `${what}, field ${quoted(field.name)},`),
    ]),
  );
}

const DAY = "(\\d{4,6})-(\\d\\d)-(\\d\\d)";
const CLOCK = "(\\d\\d):(\\d\\d)(?::(\\d\\d)(?:\\.\\d{1,6})?)?";
const OFFSET = "(?:Z|[+-](\\d\\d)(?::?(\\d\\d))?)";
const TEMPORAL_TEXTS: Readonly<Record<string, RegExp>> = {
  date: new RegExp(`^${DAY}$`),
  time: new RegExp(`^()()()${CLOCK}$`),
  timestamp: new RegExp(`^${DAY}(?:[T ]${CLOCK})?$`),
  timestamptz: new RegExp(`^${DAY}(?:[T ]${CLOCK}${OFFSET})?$`),
};

const EXAMPLES: Readonly<Record<string, string>> = {
  date: '"2026-01-31"',
  time: '"10:30:00"',
  timestamp: '"2026-01-31T10:30:00"',
  timestamptz: '"2026-01-31T10:30:00Z"',
};

/** The ISO text of a day or moment. A Date is a moment in UTC. */
function temporalText(value: unknown, type: ColumnType, what: string): string {
  const { kind } = type;
  const given = isDate(value) ? dateText(value, kind) : value;
  const match = typeof given === "string" ? own(TEMPORAL_TEXTS, kind)?.exec(given) : null;
  if (match !== null && match !== undefined && isCalendar(match)) return given as string;
  throw new PawlError(
    "data.literal",
    `${what} is given ${quoted(value)}, which is not a ${kind}: write ${own(EXAMPLES, kind) ?? "its ISO form"}.`,
  );
}

function dateText(value: Date, kind: Kind): string | null {
  if (Number.isNaN(value.getTime())) return null;
  const iso = value.toISOString().replace(/^\+0*(?=\d{4,6}-)/, "");
  const [day = "", clock = ""] = iso.slice(0, -1).split("T");
  return kind === "date" ? day : kind === "time" ? clock : kind === "timestamp" ? `${day}T${clock}` : iso;
}

/** Whether the parts of a text name a day and a time that exist. */
function isCalendar([
  ,
  year = "",
  month = "",
  day = "",
  hour = "0",
  minute = "0",
  second = "0",
  off = "0",
  offMinute = "0",
]: RegExpExecArray): boolean {
  const clock =
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(off) < 16 &&
    Number(offMinute) < 60;
  if (year === "") return clock;
  if (Number(month) < 1 || Number(month) > 12) return false;
  const last = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  return clock && Number(day) >= 1 && Number(day) <= last;
}
