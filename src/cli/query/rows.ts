import type { Frame, FrameRunOptions } from "../../data/index.ts";
import { tableText } from "../../data/internal.ts";
import { harmlessJson } from "../../visible.ts";
import { write } from "../terminal/output.ts";

/** Where standard output does not say how wide it is, nothing is cut: it goes to a file or another program. */
function width(): number | null {
  return process.stdout.isTTY ? (process.stdout.columns ?? 80) : null;
}

/** Prints the first rows of a frame as an aligned table, and says how many more there are: all of them are made. */
export async function printTable(frame: Frame, most: number, options: FrameRunOptions): Promise<void> {
  const rows: Readonly<Record<string, unknown>>[] = [];
  let more = 0;
  for await (const row of frame.rows(options)) {
    if (rows.length < most) rows.push(row);
    else more++;
  }
  await write(`${tableText(frame.fields, rows, { width: width(), more })}\n`);
}

/** Prints rows as a JSON object each, on a line of its own, at most so many. */
export async function printJsonLines(frame: Frame, most: number, options: FrameRunOptions): Promise<void> {
  let printed = 0;
  if (most === 0) return;
  for await (const row of frame.rows(options)) {
    if (!(await write(`${rowJson(row)}\n`)) || ++printed === most) return;
  }
}

/** A row as JSON: whole numbers of any size are exact, bytes are base64, and what is not a number of JSON is null. */
function rowJson(row: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === "bigint") return rawJson(value.toString());
    return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
  });
  return harmlessJson(text);
}

/** Digits as a number of JSON, exact whatever their number. TypeScript does not know `JSON.rawJSON` yet. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
