import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { rowsIn } from "./generate.ts";

export interface Options {
  readonly rows: number;
  readonly pandasRows: number;
  /** Names of cases; empty means all. */
  readonly only: readonly string[];
  readonly repeat: number;
  /** Where temporary files go. */
  readonly directory: string;
}

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "5000000" },
      bytes: { type: "string" },
      // A multiple of its chunk for any even number of cores up to four, so that none of its processes is left idle.
      "pandas-rows": { type: "string", default: "400000" },
      only: { type: "string" },
      repeat: { type: "string", default: "1" },
      dir: { type: "string", default: tmpdir() },
    },
  });
  const rows = values.bytes === undefined ? count(values.rows) : rowsIn(parseBytes(values.bytes));
  return {
    rows,
    pandasRows: Math.min(rows, count(values["pandas-rows"])),
    only: values.only?.split(",") ?? [],
    repeat: count(values.repeat),
    directory: resolve(values.dir),
  };
}

/** Such as `400MB` or `5GB`. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB)?$/i.exec(text);
  if (!match) throw new Error(`${text} is not a size: write 400MB or 5GB`);
  const units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 };
  return Number(match[1]) * units[(match[2] ?? "B").toUpperCase() as keyof typeof units];
}

function count(text: string): number {
  const number = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${text} is not a whole number above 0`);
  return number;
}
