import { basename } from "node:path";
import { PawlError } from "../../../errors.ts";
import { isUrl } from "../../../url-scheme.ts";
import { findFiles } from "../open/find-files.ts";
import type { PlannedFile } from "../open/planned-file.ts";
import type { CheckedOptions } from "../options.ts";
import { layoutOf, type RecordLayout, rulesOf } from "../record-layout.ts";
import { fieldNames, givenOrderOf, headerOf, orderOf } from "./header.ts";
import { type Head, readHead } from "./read-head.ts";
import type { RangePart, StreamPart } from "./shard-data.ts";

/** What is known of a source before its records are read. */
export interface Inspection {
  readonly layout: RecordLayout;
  /** A part without blocks for each file, in order. */
  readonly parts: readonly (RangePart | StreamPart)[];
  /** For people: `people.csv`, `3 files from a.csv to c.csv`. */
  readonly name: string;
  readonly notes: readonly string[];
}

/** Finds the files and looks at the head of each. Errors: all that concern paths, options, heads and headers. */
export async function inspectFiles(paths: readonly string[], options: CheckedOptions): Promise<Inspection> {
  const { files, notes } = await findFiles(paths, options.cwd);
  const parts: (RangePart | StreamPart)[] = [];
  let layout: RecordLayout | null = null;
  let header: readonly string[] | null = null;
  for (const file of files) {
    const head = await readHead(file, options, options.stdin, layout?.dialect.delimiter ?? options.delimiter);
    const { quote, reading, comment, maxRecordBytes } = options;
    const dialect = { delimiter: head.delimiter, quote, nullValue: reading.nulls[0] as string };
    const draft = layout ?? layoutOf({ dialect, reading, comment, fields: [], header, maxRecordBytes }, []);
    const { grammar } = rulesOf(draft, head.newline, file.name);
    const fields = fieldNames(head, grammar, options, file.name);
    const firstName = (files[0] as PlannedFile).name;
    let order = layout ? orderOf(layout.fields, fields, firstName, file.name) : null;
    if (options.header && options.columns !== null) {
      const own = headerOf(head, grammar);
      header ??= own;
      order = givenOrderOf(header, own, firstName, file.name);
    }
    layout ??= layoutOf({ ...draft, fields, header }, options.ignoreColumns);
    parts.push(partOf(file, head, options.header, order));
    if (options.header && head.single) notes.push(`${file.name} has a header but no rows.`);
  }
  checkNames(layout as RecordLayout);
  const names = files.map((file) => basename(file.name));
  const name = names.length === 1 ? names[0] : `${names.length} files from ${names[0]} to ${names.at(-1)}`;
  return { layout: layout as RecordLayout, parts, name: name as string, notes };
}

/** Errors: `csv.option`. */
function checkNames({ fields, reading, dialect, comment }: RecordLayout): void {
  const known = new Set(fields);
  const has = `the columns are ${fields.slice(0, 20).join(", ")}${fields.length > 20 ? ", …" : ""}`;
  for (const [column] of reading.nullsFor)
    if (!known.has(column))
      throw new PawlError(
        "csv.option",
        `\`nullValuesFor\` names the column ${JSON.stringify(column)}, but ${has}.`,
      );
  for (const [option, column] of [
    ["fileColumn", reading.fileColumn],
    ["lineColumn", reading.lineColumn],
  ])
    if (column && known.has(column))
      throw new PawlError(
        "csv.option",
        `\`${option}\` is ${JSON.stringify(column)}, which is a column of the file: choose another name.`,
      );
  const texts = [...reading.nulls, ...reading.nullsFor.flatMap(([, each]) => each)];
  if (comment !== "" && comment === dialect.delimiter)
    throw new PawlError(
      "csv.option",
      `\`comment\` is ${JSON.stringify(comment)}, which is the delimiter of the file, so that rows without a first value would be left out: give \`delimiter\` if it is another one.`,
    );
  const bad = texts.find((text) => text.includes(dialect.delimiter));
  if (bad !== undefined)
    throw new PawlError(
      "csv.option",
      `\`nullValues\` ${JSON.stringify(bad)} holds the delimiter ${JSON.stringify(dialect.delimiter)}: choose another text.`,
    );
}

function partOf(
  file: PlannedFile,
  head: Head,
  header: boolean,
  order: readonly number[] | null,
): RangePart | StreamPart {
  const begin = header ? head.second : head.begin;
  const { newline, compression, encoding, bom } = head;
  const shared = { ...file, newline, line: begin.line, order };
  const local = !file.pipe && file.member === null && !isUrl(file.path);
  if (local && compression === null && encoding === "utf-8")
    return { kind: "range", ...shared, bom, offset: begin.offset + bom, blocks: [] };
  return { kind: "stream", ...shared, offset: begin.offset, encoding };
}
