import { basename } from "node:path";
import type { FileVersion } from "./body.ts";
import { type Head, readHead } from "./head.ts";
import { fieldNames, sameFields } from "./header.ts";
import { type Layout, layoutOf } from "./layout.ts";
import type { Settings } from "./options.ts";
import { findFiles, STDIN } from "./paths.ts";
import type { RangePart, StreamPart } from "./shard-data.ts";
import { sniffDelimiter } from "./sniff.ts";

/** What is known of a source before its records are looked at. */
export interface Inspection {
  readonly layout: Layout;
  /** A part without granules for each file, in order. */
  readonly parts: readonly (RangePart | StreamPart)[];
  /** For people: `people.csv`, `3 files from a.csv to c.csv`. */
  readonly name: string;
  readonly notes: readonly string[];
}

/** Finds the files and looks at the head of each. Errors: all that concern paths, options, heads and headers. */
export async function inspect(paths: readonly string[], settings: Settings): Promise<Inspection> {
  const files = await findFiles(paths);
  const parts: (RangePart | StreamPart)[] = [];
  const notes: string[] = [];
  let layout: Layout | null = null;
  for (const file of files) {
    const head = await readHead(file, settings, settings.stdin);
    const { quote, nullText } = settings;
    const delimiter: string =
      layout?.dialect.delimiter ?? settings.delimiter ?? sniffDelimiter(head.records, quote);
    const dialect = { delimiter, quote, nullText };
    const fields = fieldNames(head, dialect, settings, file.name);
    if (layout) sameFields(layout.fields, fields, (files[0] as FileVersion).name, file.name);
    layout ??= layoutOf(dialect, fields, settings.ignoreColumns, settings.maxRecordBytes);
    parts.push(partOf(file, head, settings.header));
    if (settings.header && head.single) notes.push(`${file.name} has a header but no rows.`);
  }
  const names = files.map((file) => basename(file.name));
  const name = names.length === 1 ? names[0] : `${names.length} files from ${names[0]} to ${names.at(-1)}`;
  return { layout: layout as Layout, parts, name: name as string, notes };
}

function partOf(file: FileVersion, head: Head, header: boolean): RangePart | StreamPart {
  const begin = header ? head.second : { offset: 0, line: 1 };
  const { newline, compression, encoding, bom } = head;
  const shared = { ...file, newline, line: begin.line };
  if (file.path !== STDIN && compression === null && encoding === "utf-8")
    return { kind: "range", ...shared, bom, offset: begin.offset + bom, granules: [] };
  return { kind: "stream", ...shared, offset: begin.offset, encoding };
}
