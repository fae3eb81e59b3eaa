import type { ColumnKind, CompositeKind } from "../../../batch/contract.ts";
import { own } from "../../../own.ts";
import type { CsvRow } from "../contract.ts";
import type { ReadingRules } from "../options.ts";
import type { RecordLayout } from "../record-layout.ts";
import { dateReader } from "./dates.ts";
import { alikes, escaped, numberReader } from "./numbers.ts";

/** Of a value that is refused because the options cannot be followed in it. */
export const COMPOSITE = "csv.composite";

type LocalRules = Pick<ReadingRules, "dateOrder" | "decimal" | "thousands">;

/** How the values of one column become what the target reads. */
export interface Converter {
  /** Null for a text that cannot be converted. */
  readonly convert: (text: string) => string | null;
  /** What such a text is not, for messages. */
  readonly what: string;
  readonly code: string;
}

/** The converter of a column of this kind; null where its values stay as they are. */
export function converterOf(kind: ColumnKind | undefined, rules: LocalRules): Converter | null {
  const { dateOrder, decimal, thousands } = rules;
  if (kind === "number" && (decimal !== "" || thousands !== "")) {
    const separators = [
      `the decimal ${JSON.stringify(decimal || ".")}`,
      ...(thousands === "" ? [] : [`the thousands ${JSON.stringify(thousands)}`]),
    ];
    const what = `a number with ${separators.join(" and ")}`;
    return { convert: numberReader(decimal, thousands), what, code: "csv.value" };
  }
  if (kind === "date" && dateOrder !== null)
    return { convert: dateReader(dateOrder), what: `a date in the order ${dateOrder}`, code: "csv.value" };
  return typeof kind === "object" ? compositeConverter(kind, rules) : null;
}

/**
 * Which columns of a sample are numbers or dates as the options write them, where the target does not say it yet: those with a
 * value whose every value is one. A column of digits alone is left as it is, because those are numbers in any case.
 */
export function guessKinds(
  { columns, reading }: RecordLayout,
  rows: readonly CsvRow[],
): (readonly [column: string, kind: ColumnKind])[] {
  const number = converterOf("number", reading)?.convert ?? null;
  const date = converterOf("date", reading)?.convert ?? null;
  return columns.flatMap((name): [] | [readonly [string, ColumnKind]] => {
    const values = rows.flatMap((row) => own(row, name) ?? []);
    const all = (convert: Converter["convert"] | null) =>
      convert !== null && values.length > 0 && values.every((value) => convert(value) !== null);
    if (all(number)) return values.every((value) => /^\d+$/.test(value)) ? [] : [[name, "number"]];
    const dated = all(date) && values.every((value) => /^\d{1,4}[./-] ?\d{1,2}[./-] ?\d/.test(value.trim()));
    return dated ? [[name, "date"]] : [];
  });
}

/**
 * For columns whose values hold numbers or dates, such as arrays and ranges: converts nothing, and refuses a text that the server
 * would read otherwise than the options mean it. Null where the options say nothing about such a column.
 */
export function compositeConverter(
  kind: CompositeKind,
  { dateOrder, decimal, thousands }: LocalRules,
): Converter | null {
  const dates = kind.dates && dateOrder !== null;
  const options = [decimal === "" ? [] : "`decimal`", thousands === "" ? [] : "`thousands`"].flat();
  const numbers =
    kind.numbers === "none" || options.length === 0 ? null : plainNumbers(kind.numbers, decimal, thousands);
  if (!dates && numbers === null) return null;
  const unusable = [...(dates ? ["`dateOrder`"] : []), ...(numbers === null ? [] : options)];
  const written = [
    dates ? "with dates such as 2026-01-31" : [],
    numbers === null ? [] : "without separators in its numbers",
  ].flat();
  return {
    convert: (text) => ((!dates || isoOnly(text)) && (numbers === null || numbers(text)) ? text : null),
    what: `written ${written.join(" and ")}, as a value of type ${kind.type} must be, for ${unusable.join(" and ")} cannot be followed in it`,
    code: COMPOSITE,
  };
}

const ISO =
  /(?<![\d./-])\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:Z|[+-]\d{2}(?::?\d{2}){0,2}))?)?(?![\d./-])/gi;
const DIMENSIONS = /^\s*(?:\[-?\d+:-?\d+\])+=/;
const ELEMENT = /"(?:[^"\\]|\\.|"")*"|[^,{}()[\]"]+/gs;

/** Whether all dates in it are as the standard writes them: what is left has no digits, or is one number alone. */
function isoOnly(text: string): boolean {
  const left = text.replace(DIMENSIONS, "").replace(ISO, "");
  return (left.match(ELEMENT) ?? []).every(
    (each) => !/\d/.test(each) || /^\s*[+-]?\d{1,4}(?:\.\d+)?\s*$/.test(each),
  );
}

/** Whether all numbers in it are written in a way that the separators do not change. */
function plainNumbers(
  numbers: CompositeKind["numbers"],
  decimal: string,
  thousands: string,
): (text: string) => boolean {
  // Everything that is not a digit may separate for the server's locale.
  if (numbers === "money") return (text) => /^[^\d.,'\u2019]*\d+[^\d.,'\u2019]*$/.test(text);
  const point = decimal === "" || decimal === "." ? "" : `${numbers === "any" ? decimal : ""}.`;
  const separators = escaped(`${thousands === "" ? "" : alikes(thousands)}${point}`);
  const between = new RegExp(`\\d[${separators}]\\d`, "u");
  const before = new RegExp(
    numbers === "any" && point !== "" ? `(?:^|\\D)[${escaped(point)}]\\d` : "(?!)",
    "u",
  );
  return (text) => !between.test(text) && !before.test(text);
}
