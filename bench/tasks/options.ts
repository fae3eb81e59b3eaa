import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

export interface Options {
  /** Names of parts; empty means all. */
  readonly only: readonly string[];
  /** For each contestant to enqueue and to drain. */
  readonly tasks: number;
  /** Tasks that wait already while others are enqueued and drained. */
  readonly backlog: number;
  /** Processes for each contestant. */
  readonly turns: number;
  /** Calls whose way to the worker is timed. */
  readonly samples: number;
  /** Names of contestants; empty means all. */
  readonly rivals: readonly string[];
  /** Where temporary files go. */
  readonly directory: string;
}

export function readOptions(args: readonly string[], parts: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      tasks: { type: "string", default: "50000" },
      backlog: { type: "string", default: "1000000" },
      turns: { type: "string", default: "3" },
      samples: { type: "string", default: "500" },
      rivals: { type: "string" },
      dir: { type: "string", default: tmpdir() },
    },
  });
  const only = values.only?.split(",") ?? [];
  const unknown = only.find((name) => !parts.includes(name));
  if (unknown !== undefined) throw new Error(`There is no part ${unknown}: choose from ${parts.join(", ")}.`);
  const directory = resolve(values.dir);
  if (!existsSync(directory)) throw new Error(`There is no folder ${directory} for temporary files.`);
  return {
    only,
    tasks: count(values.tasks, "--tasks"),
    backlog: count(values.backlog, "--backlog"),
    turns: count(values.turns, "--turns"),
    samples: count(values.samples, "--samples"),
    rivals: values.rivals?.split(",") ?? [],
    directory,
  };
}

function count(text: string, option: string): number {
  const number = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`${option} is a whole number, at least 1, not ${text}.`);
  return number;
}
