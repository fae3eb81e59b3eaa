import { quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { type ColumnType, type Kind, typeText } from "./column-type.ts";

/** A value as plans keep it: see `LiteralNode`. */
type Stored = string | number | boolean | null;

const RANGES: Partial<Readonly<Record<Kind, readonly [min: bigint, max: bigint]>>> = {
  int8: [-128n, 127n],
  int16: [-32_768n, 32_767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
  uint16: [0n, 65_535n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const DATE = /^-?\d{4,6}-(\d\d)-(\d\d)$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$/;
const ZONE = /(Z|[+-]\d\d(:?\d\d)?)$/;
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * A value of a row as plans keep it: exact, and the same on every engine. Throws PawlError("data.row") for one that does not fit the
 * type; `where` begins its sentence.
 */
export function storedValue(value: unknown, type: ColumnType, where: () => string): Stored {
  if (value === null || value === undefined) {
    if (type.isNullable) return null;
    throw new PawlError(
      "data.row",
      `${where()} is null, and the column is not nullable: declare it ${typeText(type)}.nullable().`,
    );
  }
  const stored = fitting(value, type, where);
  if (stored !== undefined) return stored;
  throw new PawlError(
    "data.row",
    `${where()} is ${quoted(value)}, which is not ${typeText(type.notNull())}.`,
  );
}

function fitting(value: unknown, type: ColumnType, where: () => string): Stored | undefined {
  const { kind } = type;
  const range = own(RANGES as Readonly<Record<string, readonly [bigint, bigint]>>, kind);
  if (range !== undefined) return wholeNumber(value, range);
  switch (kind) {
    case "bool":
      return typeof value === "boolean" ? value : undefined;
    case "float32":
    case "float64":
      if (typeof value !== "number") return undefined;
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : Object.is(value, -0)
          ? "-0"
          : String(value);
    case "decimal":
      return decimalText(value, type);
    case "text":
      return typeof value === "string" && value.isWellFormed() ? value : undefined;
    case "bytes":
      return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : undefined;
    case "uuid":
      return typeof value === "string" && UUID.test(value) ? value.toLowerCase() : undefined;
    case "date":
      return temporalText(
        value,
        (text) => isDate(text),
        (iso) => iso.slice(0, 10),
      );
    case "time":
      return typeof value === "string" && TIME.test(value) ? value : undefined;
    case "timestamp":
      return temporalText(value, isMoment, (iso) => iso.slice(0, -1));
    case "timestamptz":
      // Without a zone it would be another moment on another machine.
      return temporalText(
        value,
        (text) => ZONE.test(text.slice(10)) && isMoment(text.replace(ZONE, "")),
        (iso) => iso,
      );
    case "json":
      return jsonText(value, where);
    case "list":
    case "struct":
      return nested(value, type, where);
    default:
      return undefined;
  }
}

function wholeNumber(value: unknown, [min, max]: readonly [bigint, bigint]): Stored | undefined {
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isSafeInteger(value)))
    return undefined;
  const whole = BigInt(value);
  if (whole < min || whole > max) return undefined;
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole.toString();
}

function decimalText(value: unknown, { precision = 38, scale = 0 }: ColumnType): string | undefined {
  const text =
    typeof value === "string" || typeof value === "bigint"
      ? String(value)
      : typeof value === "number"
        ? numberDigits(value)
        : "";
  const match = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text.trim());
  if (match === null || !/\d/.test(text)) return undefined;
  const [, sign = "", whole = "", part = ""] = match;
  if (part.length > scale || whole.length > precision - scale) return undefined;
  const digits = `${whole === "" ? "0" : whole}${scale === 0 ? "" : `.${part.padEnd(scale, "0")}`}`;
  return sign === "-" && /[1-9]/.test(digits) ? `-${digits}` : digits;
}

/** The shortest digits that are the number; none where they need an exponent. */
function numberDigits(value: number): string {
  const text = String(value);
  return /^-?\d+(\.\d+)?$/.test(text) ? text : "";
}

function temporalText(
  value: unknown,
  fits: (text: string) => boolean,
  ofIso: (iso: string) => string,
): string | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : ofIso(value.toISOString());
  return typeof value === "string" && fits(value) ? value : undefined;
}

function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (match === null) return false;
  const [month, day] = [Number(match[1]), Number(match[2])];
  if (month < 1 || month > 12 || day < 1 || day > (DAYS[month - 1] ?? 0)) return false;
  const year = Number.parseInt(text, 10);
  return month !== 2 || day < 29 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0));
}

function isMoment(text: string): boolean {
  const [day = "", time, ...more] = text.split(/[T ]/);
  return more.length === 0 && isDate(day) && (time === undefined || TIME.test(time));
}

function jsonText(value: unknown, where: () => string): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new PawlError(
      "data.row",
      `${where()} cannot be written as JSON: ${String((error as Error).message)}.`,
      {
        cause: error,
      },
    );
  }
}

/** A list or struct as JSON whose leaves are stored values. */
function nested(value: unknown, type: ColumnType, where: () => string): string | undefined {
  const made = nestedValue(value, type, where);
  return made === undefined ? undefined : JSON.stringify(made);
}

function nestedValue(value: unknown, type: ColumnType, where: () => string): unknown {
  if (type.kind === "list") {
    if (!Array.isArray(value)) return undefined;
    return value.map((each: unknown, index) =>
      inner(each, type.of as ColumnType, () => `${where()}, element ${index}`),
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(
    (type.fields ?? []).map((field) => [
      field.name,
      inner(
        own(value as Readonly<Record<string, unknown>>, field.name) ?? null,
        field.type,
        () => `${where()}, field ${quoted(field.name)}`,
      ),
    ]),
  );
}

function inner(value: unknown, type: ColumnType, where: () => string): unknown {
  const stored = storedValue(value, type, where);
  return typeof stored === "string" &&
    (type.kind === "list" || type.kind === "struct" || type.kind === "json")
    ? (JSON.parse(stored) as unknown)
    : stored;
}
