import type { HoldingKind } from "../../../batch/contract.ts";
import type { Reading } from "../options.ts";
import { alikes, escaped } from "./numbers.ts";

/** Of a value that is refused as one that the options do not reach. */
export const HOLDING = "csv.holding";

/**
 * Lets texts pass that the server reads as the options mean them, although nothing here reads them: null for any other. Null
 * instead of a reader where the options say nothing about such a column.
 */
export function holdingReader(
  kind: HoldingKind,
  { dateOrder, decimal, thousands }: Pick<Reading, "dateOrder" | "decimal" | "thousands">,
): {
  readonly convert: (text: string) => string | null;
  readonly what: string;
  readonly code: string;
} | null {
  const dates = kind.dates && dateOrder !== null;
  const options = [decimal === "" ? [] : "--decimal", thousands === "" ? [] : "--thousands"].flat();
  const numbers =
    kind.numbers === "none" || options.length === 0 ? null : plainNumbers(kind.numbers, decimal, thousands);
  if (!dates && numbers === null) return null;
  const flags = [...(dates ? ["--date-order"] : []), ...(numbers === null ? [] : options)];
  const written = [
    dates ? "with dates such as 2026-01-31" : [],
    numbers === null ? [] : "without separators in its numbers",
  ].flat();
  return {
    convert: (text) => ((!dates || isoOnly(text)) && (numbers === null || numbers(text)) ? text : null),
    what: `written ${written.join(" and ")}, as a value of type ${kind.type} must be, for ${flags.join(" and ")} cannot be followed in it`,
    code: HOLDING,
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
  numbers: HoldingKind["numbers"],
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
