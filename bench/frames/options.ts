import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export interface Options {
  /** Names of cases; empty means all. */
  readonly only: readonly string[];
  /** Names of sides; null means all. */
  readonly sides: readonly string[] | null;
  readonly repeat: number;
  /** Of ours and the engine in turn. */
  readonly pairs: number;
  /** Instead of each case's own. */
  readonly rows: number | null;
  /** Where the inputs are kept from run to run, and where temporary files go. */
  readonly directory: string;
}

export function readOptions(
  args: readonly string[],
  cases: readonly string[],
  sides: readonly string[],
): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      sides: { type: "string" },
      repeat: { type: "string", default: "3" },
      pairs: { type: "string", default: "0" },
      rows: { type: "string" },
      dir: { type: "string", default: join(tmpdir(), "pawl-bench-data") },
    },
  });
  return {
    only: among(values.only?.split(",") ?? [], cases, "case"),
    sides: values.sides === undefined ? null : among(values.sides.split(","), sides, "side"),
    repeat: count(values.repeat, "--repeat", 1),
    pairs: count(values.pairs, "--pairs", 0),
    rows: values.rows === undefined ? null : count(values.rows, "--rows", 1),
    directory: resolve(values.dir),
  };
}

function among(names: readonly string[], all: readonly string[], what: string): readonly string[] {
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new Error(`There is no ${what} ${unknown}: choose from ${all.join(", ")}.`);
  return names;
}

function count(text: string, option: string, least: number): number {
  const number = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(number) || number < least)
    throw new Error(`${option} is a whole number, at least ${least}, not ${text}.`);
  return number;
}
