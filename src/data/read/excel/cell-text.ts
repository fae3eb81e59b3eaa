import { type ColumnType, isFloat, isInteger, type Kind } from "../../schema/column-type.ts";
import { type CellValue, momentOf, numberText, timeOf } from "./cell.ts";

const RANGES: Readonly<Partial<Record<Kind, readonly [bigint, bigint]>>> = {
  int8: [-128n, 127n],
  int16: [-32_768n, 32_767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
  uint16: [0n, 65_535n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const ISO_DATE = /^\d{4}-\d\d-\d\d$/;
const ISO_MOMENT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?$/;
const ISO_ZONED = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)$/;
const ISO_TIME = /^\d\d:\d\d(:\d\d(\.\d{1,6})?)?$/;

/** Kinds of columns that a sheet can fill. */
export function isOfSheets(kind: Kind): boolean {
  return kind !== "bytes" && kind !== "list" && kind !== "struct";
}

/**
 * The value of a cell as the text of a declared type; null where it does not fit. A number is taken with the 15 digits that a sheet shows,
 * and a text for what it spells, as numbers stored as text are.
 */
export function cellText(value: CellValue, type: ColumnType, isFrom1904: boolean): string | null {
  const { kind } = type;
  if (value.kind === "error") return null;
  if (kind === "text" || kind === "json" || kind === "uuid") return plainText(value, isFrom1904);
  if (kind === "bool") return boolText(value);
  if (isInteger(kind) || isFloat(kind) || kind === "decimal") return numericText(value, type);
  return temporalText(value, kind, isFrom1904);
}

/** What the cell shows, in a form that does not depend on its format: `2024-01-31` of a day, `true`, `1.5`. */
function plainText(value: CellValue, isFrom1904: boolean): string | null {
  if (value.kind === "number")
    return value.shown === "number"
      ? numberText(value.value)
      : momentText(value.value, value.shown, isFrom1904);
  return String(value.value);
}

function momentText(serial: number, shown: "date" | "time" | "moment", isFrom1904: boolean): string | null {
  if (shown === "time" && serial < 1) return timeOf(serial);
  const iso = momentOf(serial, isFrom1904);
  if (iso === null) return null;
  return shown === "date" && iso.endsWith("T00:00:00") ? iso.slice(0, 10) : iso;
}

function boolText(value: CellValue): string | null {
  if (value.kind === "bool") return String(value.value);
  if (value.kind === "number") return value.value === 1 ? "true" : value.value === 0 ? "false" : null;
  const text = value.kind === "text" ? value.value.trim().toLowerCase() : "";
  return text === "true" || text === "false" ? text : null;
}

function numericText(value: CellValue, type: ColumnType): string | null {
  // A number that is shown as a day is one: to take its serial number would hide a wrong column.
  if (value.kind === "number" && value.shown !== "number") return null;
  if (value.kind !== "number" && value.kind !== "text") return null;
  const text = value.kind === "number" ? numberText(value.value) : value.value.trim();
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return null;
  const { kind } = type;
  if (isFloat(kind)) return value.kind === "number" ? String(value.value) : text;
  const plain = plainDigits(text);
  if (plain === null) return null;
  const { sign, whole, fraction } = plain;
  if (kind === "decimal") {
    const [precision, scale] = [type.precision ?? 38, type.scale ?? 0];
    return fraction.length <= scale && whole.length <= precision - scale
      ? `${sign}${whole || "0"}${fraction === "" ? "" : `.${fraction}`}`
      : null;
  }
  if (fraction !== "") return null;
  const [least, most] = RANGES[kind] ?? [0n, 0n];
  const number = BigInt(`${whole || "0"}`) * (sign === "-" ? -1n : 1n);
  return number >= least && number <= most ? String(number) : null;
}

/** No number of a sheet has more digits before or behind its point. */
const MOST_DIGITS = 400;

/** The digits of a number without an exponent, and without zeros that mean nothing. */
function plainDigits(text: string): { sign: string; whole: string; fraction: string } | null {
  const [, sign = "", before = "", behind = "", exponent = "0"] =
    /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const shift = Number(exponent);
  if (Math.abs(shift) > MOST_DIGITS) return null;
  const digits = before + behind;
  const point = before.length + shift;
  const padded = point < 0 ? "0".repeat(-point) + digits : digits.padEnd(point, "0");
  const at = Math.max(point, 0);
  return {
    sign: sign === "-" ? "-" : "",
    whole: padded.slice(0, at).replace(/^0+/, ""),
    fraction: padded.slice(at).replace(/0+$/, ""),
  };
}

function temporalText(value: CellValue, kind: Kind, isFrom1904: boolean): string | null {
  if (value.kind === "number") {
    const { shown, value: serial } = value;
    if (shown === "number") return null;
    if (kind === "time") return shown === "time" || serial < 1 ? timeOf(serial) : null;
    const iso = shown === "time" ? null : momentOf(serial, isFrom1904);
    if (iso === null) return null;
    if (kind === "date") return iso.endsWith("T00:00:00") ? iso.slice(0, 10) : null;
    // A sheet knows no zones, so that no moment of it is one of the world's.
    return kind === "timestamp" ? iso : null;
  }
  const text = value.kind === "text" || value.kind === "iso" ? value.value.trim() : "";
  if (kind === "date") {
    const day = value.kind === "iso" ? text.replace(/T00:00:00(\.0+)?$/, "") : text;
    return ISO_DATE.test(day) ? day : null;
  }
  if (kind === "time") return ISO_TIME.test(text) ? text : null;
  if (kind === "timestamp") return ISO_MOMENT.test(text) || ISO_DATE.test(text) ? text : null;
  return ISO_ZONED.test(text) ? text : null;
}
