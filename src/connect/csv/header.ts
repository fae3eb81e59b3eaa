import { isUtf8 } from "node:buffer";
import { PawlError } from "../../errors.ts";
import type { CsvDialect } from "./chunk.ts";
import type { Head } from "./head.ts";
import type { Settings } from "./options.ts";
import { parseRecord } from "./record-parser.ts";

/**
 * The names of the fields of a file: from its header, the options, or `column1`, `column2`, …
 * Errors: `csv.header`, `csv.encoding`.
 */
export function fieldNames(head: Head, dialect: CsvDialect, settings: Settings, name: string): string[] {
  const first = head.records[0] as Buffer;
  const values = parseRecord(first, dialect);
  if (settings.columns) return given(settings.columns, values.length, settings.header, name);
  if (!settings.header) return values.map((_, index) => `column${index + 1}`);
  if (first.includes(0))
    throw new PawlError(
      "csv.binary",
      `${name} line 1: the header holds a NUL byte: check that the file is a CSV and its --encoding.`,
    );
  if (!isUtf8(first))
    throw new PawlError(
      "csv.encoding",
      `${name} line 1: the header is not valid UTF-8: give --encoding, such as latin1.`,
    );
  const names = values.map((value) => (value ?? "").trim());
  const empty = names.indexOf("");
  if (empty !== -1)
    throw new PawlError(
      "csv.header",
      `${name}: column ${empty + 1} of the header has no name; name it, or name all columns with --columns.`,
    );
  refuseRepeats(names, `${name}: the header`);
  return names;
}

function given(columns: readonly string[], width: number, header: boolean, name: string): string[] {
  refuseRepeats(columns, "--columns");
  if (columns.length === width) return [...columns];
  const what = header ? "its header" : "its first row";
  throw new PawlError(
    "csv.header",
    `--columns gives ${columns.length} names, but ${name} has ${width} fields in ${what}: name each of them.`,
  );
}

function refuseRepeats(names: readonly string[], where: string): void {
  const again = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (again === -1) return;
  const name = names[again] as string;
  throw new PawlError(
    "csv.header",
    `${where} names ${JSON.stringify(name)} twice, as columns ${names.indexOf(name) + 1} and ${again + 1}; rename one, or name all columns with --columns.`,
  );
}

/** Files read as one must agree. Errors: `csv.header-differs`. */
export function sameFields(
  first: readonly string[],
  other: readonly string[],
  firstName: string,
  name: string,
) {
  const wide = Math.max(first.length, other.length);
  for (let index = 0; index < wide; index++) {
    const [a, b] = [first[index], other[index]];
    if (a === b) continue;
    const has = b === undefined ? "ends before" : `has ${JSON.stringify(b)} as`;
    const wants = a === undefined ? "has no such column" : `has ${JSON.stringify(a)} there`;
    throw new PawlError(
      "csv.header-differs",
      `${name} ${has} column ${index + 1}, but ${firstName} ${wants}: load files with different headers one by one.`,
    );
  }
}
