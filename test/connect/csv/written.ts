import type { CsvOptions } from "../../../src/connect/csv/index.ts";
import { fc } from "../../random.ts";

/** A way to write a CSV, and how to tell a reader of it. */
export interface Way {
  readonly delimiter: string;
  readonly quote: string | null;
  readonly escape: string | null;
  readonly comment: string | null;
  readonly trim: boolean;
  readonly end: "\n" | "\r\n" | "\r\r\n" | "\r";
  readonly nulls: readonly string[];
  readonly skip: number;
  readonly sep: boolean;
  readonly short: boolean;
  readonly long: boolean;
}

export const way: fc.Arbitrary<Way> = fc
  .record({
    delimiter: fc.constantFrom(",", ";", "\t", "|"),
    quote: fc.constantFrom('"', "'", null),
    escape: fc.constantFrom(null, "\\"),
    comment: fc.constantFrom(null, "#"),
    trim: fc.boolean(),
    end: fc.constantFrom("\n", "\r\n", "\r\r\n", "\r") as fc.Arbitrary<Way["end"]>,
    nulls: fc.constantFrom([""], ["NA"], ["", "NA", "\\N"]),
    skip: fc.nat(3),
    sep: fc.boolean(),
    short: fc.boolean(),
    long: fc.boolean(),
  })
  // One option at a time is what most people give, and what the fast way is for.
  .chain((all) =>
    fc.oneof(
      fc.constant(all),
      fc
        .subarray(Object.keys(all) as (keyof Way)[], { maxLength: 2 })
        .map((kept) => ({ ...PLAIN, ...Object.fromEntries(kept.map((name) => [name, all[name]])) }) as Way),
    ),
  );

const PLAIN: Way = {
  delimiter: ",",
  quote: '"',
  escape: null,
  comment: null,
  trim: false,
  end: "\n",
  nulls: [""],
  skip: 0,
  sep: false,
  short: false,
  long: false,
};

export function optionsOf(all: Way): CsvOptions {
  return {
    ...(all.sep ? {} : { delimiter: all.delimiter }),
    quote: all.quote,
    ...(all.escape === null ? {} : { escape: all.escape }),
    ...(all.comment === null ? {} : { comment: all.comment }),
    trim: all.trim,
    nullValues: all.nulls,
    skipLines: all.skip,
    fillMissing: all.short,
    ignoreExtra: all.long,
  };
}

export const value = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z0-9é漢😀]{0,6}$/u) },
  fc
    .array(
      fc.constantFrom("a", ",", ";", "\t", "|", '"', "'", "\\", "\n", "\r\n", " ", "#", "NA", "\\N", "ö"),
      {
        maxLength: 6,
      },
    )
    .map((parts) => parts.join("")),
);

/** Makes a value one that this way can write. */
export function writable(text: string | null, all: Way): string | null {
  if (text === null) return null;
  let kept = text;
  if (all.end === "\r") kept = kept.replaceAll("\n", "");
  if (all.quote === null) {
    kept = kept.replaceAll("\r", "");
    if (all.escape === null) kept = kept.replaceAll("\n", "").replaceAll(all.delimiter, "");
    if (all.comment !== null) kept = kept.replaceAll(all.comment, "");
    if (all.escape !== null) kept = kept.replaceAll(all.escape, "");
    if (all.trim) kept = kept.trim();
    // A bare text that would be the null text cannot be told from it.
    if (all.nulls.includes(kept)) return null;
  }
  return kept;
}

/** Random, but the same for the same place. */
export type Choose = (n: number) => number;

function writeValue(text: string | null, all: Way, choose: Choose): string {
  const pad = () => (all.trim ? " ".repeat(choose(3)) : "");
  const { quote, escape: escaping } = all;
  if (text === null) return pad() + (all.nulls[choose(all.nulls.length)] as string) + pad();
  const special = [all.delimiter, quote, escaping, all.comment, "\n", "\r", " ", "\t"];
  const mustQuote = all.nulls.includes(text) || special.some((each) => each !== null && text.includes(each));
  if (quote !== null && (mustQuote || choose(3) === 0)) {
    const inner = [...text].map((character) => {
      if (character === quote) return escaping !== null && choose(2) === 0 ? escaping + quote : quote + quote;
      return character === escaping ? escaping + escaping : character;
    });
    return pad() + quote + inner.join("") + quote + pad();
  }
  if (escaping === null) return pad() + text + pad();
  const inner = [...text].map((each) => (each === all.delimiter || each === "\n" ? escaping + each : each));
  return pad() + inner.join("") + pad();
}

export interface Written {
  readonly text: string;
  /** The line on which each row begins. */
  readonly lines: readonly number[];
}

/** A file in this way. Blank lines and comments stand between its rows. */
export function write(
  names: readonly string[],
  rows: readonly (readonly (string | null)[])[],
  all: Way,
  choose: Choose,
): Written {
  let text = "";
  let line = 1;
  const newline = all.end === "\r" ? "\r" : "\n";
  const add = (record: string, last = false) => {
    const began = line;
    text += record + (last ? "" : all.end);
    line += record.split(newline).length;
    return began;
  };
  const between = () => {
    if (names.length > 1 && choose(5) === 0) add("");
    if (all.comment !== null && choose(3) === 0) add(`${all.comment} "it's", a \\`);
  };
  for (let skipped = 0; skipped < all.skip; skipped++) add(`a "title" of it's own, ${skipped}`);
  if (all.sep) add(`sep=${all.delimiter}`);
  between();
  add(names.map((name) => writeValue(name, all, () => 1)).join(all.delimiter));
  const lines: number[] = [];
  for (const [index, row] of rows.entries()) {
    between();
    const last = index === rows.length - 1 && choose(2) === 0;
    const fields = row.map((each) => writeValue(each, all, choose));
    if (all.short)
      while (fields.length > 1 && row[fields.length - 1] === null && choose(2) === 0) fields.pop();
    else if (all.long && choose(2) === 0) fields.push("further", "");
    lines.push(add(fields.join(all.delimiter), last));
  }
  return { text, lines };
}
