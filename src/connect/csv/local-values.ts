import type { DateOrder } from "./options.ts";

/** Characters that stand for one another between groups of digits: what a person types, and what a program writes. */
const ALIKE: readonly string[] = [" \u00a0\u202f\u2009\u2007", "'\u2019\u02bc"];

function alike(character: string): string {
  return ALIKE.find((each) => each.includes(character)) ?? character;
}

/**
 * Reads numbers as a country writes them. Null for what is none, which also is a number with its separators in the
 * wrong places: `1.5` is no number where the point stands between thousands.
 */
export function numberReader(decimal: string, thousands: string): (text: string) => string | null {
  const point = escaped(decimal || ".");
  const between = thousands === "" ? null : `[${escaped(alike(thousands))}]`;
  const grouped = between === null ? "" : `\\d{1,3}(?:${between}\\d{2,3})*${between}\\d{3}|`;
  const shape = new RegExp(
    `^([+-]?)[ \\u00a0\\u202f]?(?:(${grouped}\\d+)(?:${point}(\\d*))?|${point}(\\d+))([eE][+-]?\\d+)?(-?)$`,
    "u",
  );
  const gaps = between === null ? null : new RegExp(between, "gu");
  return (text) => {
    // The minus sign of typesetting, as some countries' programs write it.
    const trimmed = text.trim().replace("\u2212", "-");
    if (/^[+-]?(?:nan|inf|infinity)$/i.test(trimmed)) return trimmed;
    const match = shape.exec(trimmed);
    if (match === null) return null;
    const [, sign = "", whole, decimals, alone, power = "", minus = ""] = match;
    // A sign stands before the number or behind it, as in books.
    if (sign !== "" && minus !== "") return null;
    const digits = whole === undefined ? "0" : gaps === null ? whole : whole.replace(gaps, "");
    const rest = decimals || alone;
    return `${minus || sign}${digits}${rest ? `.${rest}` : ""}${power}`;
  };
}

function escaped(characters: string): string {
  return characters.replace(/[\\\]^$.*+?(){}|[\-/]/g, "\\$&");
}

const NUMBERS = /^(\d{1,4})([./-]) ?(\d{1,2})\2 ?(\d{1,4})(?:[ T,]+(\d.*))?$/;
/** Three numbers in a row, whose order the server would choose by its own setting. */
const AMBIGUOUS = /\d{1,2}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d/;

/** Reads dates in an order; a time behind one is kept. Null for a date that does not exist or is in another order. */
export function dateReader(order: DateOrder): (text: string) => string | null {
  return (text) => {
    const trimmed = text.trim();
    const match = NUMBERS.exec(trimmed);
    if (match === null) return AMBIGUOUS.test(trimmed) && !/^\d{4}-/.test(trimmed) ? null : trimmed;
    const [, first = "", , second = "", third = "", time] = match;
    // A year of four digits in front leaves no doubt.
    const used = first.length === 4 ? "ymd" : order;
    const [day, month, year] =
      used === "dmy"
        ? [first, second, third]
        : used === "mdy"
          ? [second, first, third]
          : [third, second, first];
    const full = fullYear(year);
    if (full === null || !isDay(full, Number(month), Number(day))) return null;
    const date = `${full}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
    return time === undefined ? date : `${date} ${time}`;
  };
}

/** As PostgreSQL takes years of two digits: 70 to 99 are of the last century. */
function fullYear(year: string): string | null {
  if (year.length === 4) return year;
  if (year.length !== 2) return null;
  return `${Number(year) >= 70 ? 19 : 20}${year}`;
}

function isDay(year: string, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  return day <= new Date(Date.UTC(2000 + (Number(year) % 400), month, 0)).getUTCDate();
}
