import type { Frame, FrameRunOptions } from "../../data/index.ts";
import { rowJson, tableText } from "../../data/internal.ts";
import { harmlessJson } from "../../visible.ts";
import { outputColumns, write } from "../terminal/output.ts";

/** Prints the first rows of a frame as an aligned table, and says how many more there are: all of them are made. */
export async function printTable(frame: Frame, most: number, options: FrameRunOptions): Promise<void> {
  const rows: Readonly<Record<string, unknown>>[] = [];
  let more = 0;
  for await (const row of frame.rows(options)) {
    if (rows.length < most) rows.push(row);
    else more++;
  }
  await write(`${tableText(frame.fields, rows, { width: outputColumns(), more })}\n`);
}

/** Prints rows as a JSON object each, on a line of its own, at most so many. */
export async function printJsonLines(frame: Frame, most: number, options: FrameRunOptions): Promise<void> {
  let printed = 0;
  if (most === 0) return;
  for await (const row of frame.rows(options)) {
    if (!(await write(`${harmlessJson(rowJson(row))}\n`)) || ++printed === most) return;
  }
}
