/** A cell that holds something. */
export interface Cell {
  /** Its column, from 0. */
  readonly column: number;
  readonly value: CellValue;
}

/** What a cell holds, as it is stored: a day or moment by its serial number, where the format shows one. */
export type CellValue =
  | { readonly kind: "number"; readonly value: number; readonly shown: NumberFormat }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "bool"; readonly value: boolean }
  /** An ISO text. */
  | { readonly kind: "iso"; readonly value: string }
  /** Such as `#N/A`; `formula` for one that no program has computed. */
  | { readonly kind: "error"; readonly value: string };

/** What a number's format makes of it. */
export type NumberFormat = "number" | "date" | "time" | "moment";

/** A row with at least one cell that holds something. */
export interface SheetRow {
  /** As the sheet shows it, from 1. */
  readonly number: number;
  /** In the order of their columns. */
  readonly cells: readonly Cell[];
}

/** The letters of a column: A, B … Z, AA. */
export function columnLetters(column: number): string {
  let letters = "";
  for (let rest = column + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  return letters;
}

/** The column of a reference such as `AB12`, from 0; -1 for what is not one. */
export function columnOf(reference: string): number {
  let column = 0;
  let at = 0;
  for (; at < reference.length; at++) {
    const code = reference.charCodeAt(at) & ~32;
    if (code < 65 || code > 90) break;
    column = column * 26 + (code - 64);
  }
  return at === 0 || at > 3 ? -1 : column - 1;
}

const DAY_MS = 86_400_000;
/** Day 0 of serial numbers. Excel counts a 29 February 1900, which there was not: from day 61 on it is one day later. */
const DAY_0_OF_1900 = Date.UTC(1899, 11, 31);
const DAY_0_OF_1904 = Date.UTC(1904, 0, 1);
/** The last day that Excel has, 31 December 9999. */
const LAST_SERIAL = 2_958_466;

/** The ISO text of a serial number to the millisecond, such as `2024-01-31T10:00:00`; null of a day that never was. */
export function momentOf(serial: number, isFrom1904: boolean): string | null {
  if (!(serial >= 0 && serial < LAST_SERIAL)) return null;
  const day = Math.floor(serial);
  if (!isFrom1904 && day === 60) return null;
  const zero = isFrom1904 ? DAY_0_OF_1904 : day > 60 ? DAY_0_OF_1900 - DAY_MS : DAY_0_OF_1900;
  return new Date(zero + Math.round(serial * DAY_MS))
    .toISOString()
    .slice(0, -1)
    .replace(/\.000$/, "");
}

/** The ISO text of the part of a serial number that is a time of day. */
export function timeOf(serial: number): string | null {
  if (!(serial >= 0 && serial < LAST_SERIAL)) return null;
  const ms = Math.round((serial - Math.floor(serial)) * DAY_MS);
  // What rounds up to midnight is shown as the beginning of a day.
  return new Date(ms % DAY_MS)
    .toISOString()
    .slice(11, -1)
    .replace(/\.000$/, "");
}

/** A number with the 15 digits that a sheet shows of it, which are what was typed in. */
export function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(Object.is(value, -0) ? 0 : value);
  return String(Number(value.toPrecision(15)));
}

/** The formats of numbers that have no text in a workbook, and show days, times or moments (ECMA-376, 18.8.30). */
const BUILT_IN: ReadonlyMap<number, NumberFormat> = new Map([
  ...[14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58].map((id) => [id, "date"] as const),
  ...[18, 19, 20, 21, 32, 33, 34, 35, 45, 46, 47, 55, 56].map((id) => [id, "time"] as const),
  [22, "moment"],
]);

/** What a format shows, by its number and, where the workbook has it, its text such as `dd.mm.yyyy hh:mm`. */
export function formatOf(id: number, code: string | undefined): NumberFormat {
  if (code === undefined) return BUILT_IN.get(id) ?? "number";
  // Only the first section counts; texts, colours, conditions, and characters for spacing do not.
  const [section = ""] = code.replaceAll(/"[^"]*"|\\.|_.|\*./g, "").split(";");
  const bare = section.replaceAll(/\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, "").toLowerCase();
  // Elapsed hours are a length of time, and may be more than a day.
  if (/\[[hms]+\]/.test(bare) || !/[ymdhs]/.test(bare) || /^general/.test(bare)) return "number";
  // An m is a month but for those beside hours and seconds.
  const hasTime = /[hs]/.test(bare);
  const hasDay = /[yd]/.test(bare) || (!hasTime && bare.includes("m"));
  return hasDay ? (hasTime ? "moment" : "date") : "time";
}
