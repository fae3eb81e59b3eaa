import { isUtf8 } from "node:buffer";
import { PawlError } from "../../../errors.ts";
import type { CheckedOptions } from "../options.ts";
import { FieldSplitter, MOST_COLUMNS } from "../scan/field-splitter.ts";
import type { Grammar } from "../scan/grammar.ts";
import type { Head } from "./read-head.ts";

/**
 * The names of the fields of a file: from its header, the options, or `column1`, `column2`, …
 * Errors: `csv.header`, `csv.encoding`.
 */
export function fieldNames(head: Head, grammar: Grammar, options: CheckedOptions, name: string): string[] {
  const { first, begin } = head;
  const reader = new FieldSplitter(grammar);
  const count = reader.split(first.toString("utf8"));
  if (count > MOST_COLUMNS)
    throw new PawlError(
      "csv.header",
      `${name} line ${begin.line} has ${count} fields, and no more than ${MOST_COLUMNS} columns are read: check \`delimiter\`, and that the file is a CSV.`,
    );
  if (options.columns) return given(options.columns, count, options.header, name);
  const values = reader.values.slice(0, count);
  if (!options.header) return values.map((_, index) => `column${index + 1}`);
  if (first.includes(0))
    throw new PawlError(
      "csv.binary",
      `${name} line ${begin.line}: the header holds a NUL byte: check that the file is a CSV, and \`encoding\`.`,
    );
  if (!isUtf8(first))
    throw new PawlError(
      "csv.encoding",
      `${name} line ${begin.line}: the header is not valid UTF-8: give \`encoding\`, such as latin1.`,
    );
  const names = values.map((value) => value.trim());
  const empty = names.indexOf("");
  if (empty !== -1)
    throw new PawlError(
      "csv.header",
      `${name}: column ${empty + 1} of the header has no name; name it, or name all columns with \`columns\`.`,
    );
  refuseRepeats(names, `${name}: the header`);
  return names;
}

function given(columns: readonly string[], width: number, header: boolean, name: string): string[] {
  refuseRepeats(columns, "`columns`");
  if (columns.length === width) return [...columns];
  const what = header ? "its header" : "its first row";
  throw new PawlError(
    "csv.header",
    `\`columns\` gives ${columns.length} names, but ${name} has ${width} fields in ${what}: name each of them.`,
  );
}

function refuseRepeats(names: readonly string[], where: string): void {
  const known = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const before = known.get(name);
    if (before !== undefined)
      throw new PawlError(
        "csv.header",
        `${where} names ${JSON.stringify(name)} twice, as columns ${before + 1} and ${index + 1}; rename one, or name all columns with \`columns\`.`,
      );
    known.set(name, index);
  }
}

/** What the header of a file says, where other names are given in its place: to tell whether another file has the same one. */
export function headerOf({ first }: Head, grammar: Grammar): readonly string[] {
  const reader = new FieldSplitter(grammar);
  // latin1 keeps bytes apart that are not valid as UTF-8.
  const count = reader.split(first.toString(isUtf8(first) ? "utf8" : "latin1"));
  return reader.values.slice(0, count).map((value) => value.trim());
}

/**
 * The same as `orderOf` for files whose columns have names that are given: their headers must be equal, or tell where each
 * column stands. Errors: `csv.header-differs`.
 */
export function givenOrderOf(
  first: readonly string[],
  other: readonly string[],
  firstName: string,
  name: string,
): readonly number[] | null {
  if (first.length === other.length && first.every((value, index) => value === other[index])) return null;
  const named = [first, other].every((names) => new Set(names).size === names.length && !names.includes(""));
  if (named) return orderOf(first, other, firstName, name);
  throw new PawlError(
    "csv.header-differs",
    `${name} has a different header from ${firstName}, so that \`columns\` cannot name the columns of both: load them one by one.`,
  );
}

/**
 * Files that are read as one must have the same columns: which field of the other file each of the first one's is, or
 * null where they stand in the same order. Errors: `csv.header-differs`.
 */
export function orderOf(
  first: readonly string[],
  other: readonly string[],
  firstName: string,
  name: string,
): readonly number[] | null {
  const positions = new Map(other.map((column, index) => [column, index]));
  const [missing] = first.filter((column) => !positions.has(column));
  const known = new Set(first);
  const [further] = other.filter((column) => !known.has(column));
  if (missing !== undefined || further !== undefined) {
    const lacks = missing === undefined ? "" : `lacks the column ${JSON.stringify(missing)}`;
    const has = further === undefined ? "" : `has a column ${JSON.stringify(further)}`;
    const how = [lacks, has].filter((each) => each !== "").join(" and ");
    throw new PawlError(
      "csv.header-differs",
      `${name} ${how}, other than ${firstName}: load files with different columns one by one.`,
    );
  }
  const order = first.map((column) => positions.get(column) as number);
  return order.every((position, index) => position === index) ? null : order;
}
