import type { DateOrder } from "../options.ts";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH =
  "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?";
const WEEKDAY = "(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?[.,]? ?)?";
const DAY = "(\\d{1,2})(?:st|nd|rd|th|\\.)?";
const YEAR = "(\\d{4}|\\d{2})";
const GAP = "[ ./-]*";

/** Three numbers with the same separator between them. */
const NUMBERS = /^(\d{1,4}) ?([./\\_,-]| ) ?(\d{1,2}) ?\2 ?(\d{1,4})(?:(?<=\.\d+)\.)?(?!\d)(.*)$/;
const DIGITS = /^(\d{8}|\d{6})(?!\d)(.*)$/;
const MONTH_SECOND = new RegExp(
  `^${WEEKDAY}(\\d{1,4})(?:st|nd|rd|th|\\.)?${GAP}${MONTH}[,]?${GAP}(\\d{1,4})(?!\\d)(.*)$`,
  "i",
);
const MONTH_FIRST = new RegExp(`^${WEEKDAY}${MONTH}${GAP}${DAY}(?:[,./ -]+)${YEAR}(?!\\d)(.*)$`, "i");

/** The time behind a date: hour, separator, minutes, seconds and their decimals, am or pm, and the zone. */
const CLOCK = /^(?: ?[ ,] ?|t)(\d{1,2})([:.])(\d{2})(?:\2(\d{2})(?:[.,](\d+))?)?(?!\d)(.*)$/i;
const DIGITS_OF_CLOCK = /^(?: ?[ ,] ?|t)(\d{2})()(\d{2})(?:(\d{2})(?:[.,](\d+))?)?(?!\d)(.*)$/i;
const ZONE = /^(?: ?([ap])\.?m\.?(?![a-z]))?(?: ?(z|[+-]\d{1,2}(?::?\d{2}){0,2}|[a-z]+(?:[/_-][a-z]+)*))?$/i;

/** What means the same in every order. */
const WORD = /^(?:[+-]?infinity|epoch|now|today|tomorrow|yesterday)$/i;

/** Eight digits are not read as a year before this one, so that they are a date in one order only. */
const FIRST_YEAR = 1300;

/**
 * Reads dates in an order, with a time behind them or not: in numbers, or with an English name of the month. Gives a text that a
 * server reads in one way whatever its options. Null for everything else, such as a date that does not exist or is in another order.
 */
export function dateReader(order: DateOrder): (text: string) => string | null {
  return (text) => {
    const trimmed = text.trim().replace(/\s+/g, " ");
    if (WORD.test(trimmed)) return trimmed;
    const parts = partsOf(trimmed, order);
    if (parts === null) return null;
    const { year, month, day, rest } = parts;
    const full = fullYear(year);
    if (full === null || day.length > 2 || !isDay(full, month, Number(day))) return null;
    const time = timeOf(rest);
    if (time === null) return null;
    return `${full}-${String(month).padStart(2, "0")}-${day.padStart(2, "0")}${time}`;
  };
}

interface Parts {
  readonly year: string;
  readonly month: number;
  readonly day: string;
  /** What stands behind the date. */
  readonly rest: string;
}

function partsOf(text: string, order: DateOrder): Parts | null {
  const numbers = NUMBERS.exec(text);
  if (numbers !== null) {
    const [, first = "", , second = "", third = "", rest = ""] = numbers;
    // A year of four digits in front leaves no doubt.
    return inOrder(first.length === 4 ? "ymd" : order, [first, second, third], rest);
  }
  const digits = DIGITS.exec(text);
  if (digits !== null) return ofDigits(digits[1] as string, order, digits[2] as string);
  const second = MONTH_SECOND.exec(text);
  if (second !== null) {
    const [, before = "", name = "", behind = "", rest = ""] = second;
    const yearFirst = before.length === 4 || (order === "ymd" && behind.length !== 4);
    const [year, day] = yearFirst ? [before, behind] : [behind, before];
    return { year, month: monthOf(name), day, rest };
  }
  const first = MONTH_FIRST.exec(text);
  if (first === null) return null;
  const [, name = "", day = "", year = "", rest = ""] = first;
  return { year, month: monthOf(name), day, rest };
}

function inOrder(order: DateOrder, [a, b, c]: readonly [string, string, string], rest: string): Parts {
  if (order === "dmy") return { year: c, month: Number(b), day: a, rest };
  if (order === "mdy") return { year: c, month: Number(a), day: b, rest };
  return { year: a, month: Number(b), day: c, rest };
}

function ofDigits(digits: string, order: DateOrder, rest: string): Parts | null {
  const cut = (year: number, used: DateOrder) => {
    const [first, second] = used === "ymd" ? [year, year + 2] : [2, 4];
    return inOrder(used, [digits.slice(0, first), digits.slice(first, second), digits.slice(second)], rest);
  };
  if (digits.length === 6) return cut(2, order);
  const meant = ({ year, month, day }: Parts) =>
    Number(year) >= FIRST_YEAR && isDay(year, month, Number(day));
  return [cut(4, "ymd"), cut(4, order)].find(meant) ?? null;
}

function monthOf(name: string): number {
  return MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1;
}

/** The time as the server reads it; empty where there is none, and null for what is not a time. */
function timeOf(text: string): string | null {
  if (text === "") return "";
  const clock = CLOCK.exec(text) ?? DIGITS_OF_CLOCK.exec(text);
  if (clock === null) return null;
  const [, hour, , minute, second, decimals, rest = ""] = clock;
  const zone = ZONE.exec(rest);
  if (zone === null) return null;
  const [, half, name] = zone;
  return (
    ` ${hour}:${minute}${second === undefined ? "" : `:${second}${decimals === undefined ? "" : `.${decimals}`}`}` +
    `${half === undefined ? "" : ` ${half}m`}${name === undefined ? "" : /^[a-z]{2}/i.test(name) ? ` ${name}` : name}`
  );
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
