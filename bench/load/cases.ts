import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Input, InputName, Inputs } from "./inputs.ts";
import { type Measured, measure } from "./measure.ts";
import { type Loaded, pawlLoad } from "./pawl.ts";
import { copyIn, type Server, table, upsertStaged } from "./server.ts";

export interface Bench {
  readonly server: Server;
  readonly directory: string;
}

export interface Case {
  readonly name: string;
  /** For people. */
  readonly what: string;
  readonly input: InputName;
  /** How the result is judged. */
  readonly against?: Comparison;
  run(bench: Bench, input: Input, inputs: Inputs): Promise<Outcome>;
}

export type Comparison =
  /** This case's time as a multiple of the peer's. */
  | { readonly peer: string; readonly atMost?: number }
  /** The other case's rows a second as a multiple of this one's, which is the peer then. */
  | { readonly faster: string; readonly atLeast: number };

export type Outcome = (Loaded | Measured) & { readonly note?: string };

/** Peers stand before the cases that are compared with them. */
const cases: readonly Case[] = [
  { name: "copy", what: "psql \\copy, empty table", input: "plain", run: copyIntoEmpty },
  {
    name: "load",
    what: "pawl load, empty table",
    input: "plain",
    against: { peer: "copy", atMost: 1.25 },
    run: loadIntoEmpty(),
  },
  {
    name: "upsert-sql",
    what: "one INSERT … ON CONFLICT, all rows changed",
    input: "changed",
    async run({ server }, input, inputs) {
      await server.full((await inputs.get("plain")).path);
      const staging = await server.stage(input.path);
      await server.settle();
      const measured = await upsertStaged(server.url);
      return { ...measured, note: `filling its staging table took ${staging.toFixed(1)} s more` };
    },
  },
  {
    name: "changed",
    what: "pawl load, all rows changed",
    input: "changed",
    against: { peer: "upsert-sql", atMost: 0.7 },
    run: loadIntoFull,
  },
  {
    name: "unchanged",
    what: "pawl load, all rows unchanged",
    input: "plain",
    against: { peer: "copy", atMost: 0.5 },
    run: loadIntoFull,
  },
  {
    name: "step",
    what: "pawl load --transform, empty table",
    input: "plain",
    against: { peer: "load", atMost: 1.5 },
    run: loadIntoEmpty("--transform", join(import.meta.dirname, "step.ts")),
  },
  {
    name: "pandas",
    what: "pandas to_sql in a process pool",
    input: "small",
    against: { faster: "step", atLeast: 10 },
    run: pandasIntoEmpty,
  },
  {
    name: "unique",
    what: "pawl load --unique, empty table",
    input: "plain",
    against: { peer: "copy" },
    run: loadIntoEmpty("--unique"),
  },
  {
    name: "gzip",
    what: "pawl load of a .gz, empty table",
    input: "gzip",
    against: { peer: "copy" },
    run: loadIntoEmpty(),
  },
  { name: "copy-shuffled", what: "psql \\copy, shuffled keys", input: "shuffled", run: copyIntoEmpty },
  {
    name: "shuffled",
    what: "pawl load, shuffled keys",
    input: "shuffled",
    against: { peer: "copy-shuffled" },
    run: loadIntoEmpty(),
  },
  {
    name: "duplicates",
    what: "pawl load, a few keys twice",
    input: "duplicates",
    against: { peer: "copy" },
    run: loadIntoEmpty(),
  },
];

/** The named cases (all for none) and those they are compared with, in the order in which they run. */
export function choose(only: readonly string[]): readonly Case[] {
  const unknown = only.find((name) => !cases.some((each) => each.name === name));
  if (unknown !== undefined) {
    throw new Error(`no case ${unknown}; there are ${cases.map((each) => each.name).join(", ")}`);
  }
  if (only.length === 0) return cases;
  const wanted = new Set(only);
  for (const name of wanted) {
    const against = cases.find((each) => each.name === name)?.against;
    if (against) wanted.add("peer" in against ? against.peer : against.faster);
  }
  return cases.filter((each) => wanted.has(each.name));
}

async function copyIntoEmpty({ server }: Bench, input: Input): Promise<Outcome> {
  await server.empty();
  await server.settle();
  return copyIn(server.url, table, input.path);
}

function loadIntoEmpty(...flags: readonly string[]): Case["run"] {
  return async ({ server, directory }, input) => {
    await server.empty();
    await server.settle();
    return pawlLoad(input, server.url, directory, flags);
  };
}

async function loadIntoFull(bench: Bench, input: Input, inputs: Inputs): Promise<Outcome> {
  await bench.server.full((await inputs.get("plain")).path);
  await bench.server.settle();
  return pawlLoad(input, bench.server.url, bench.directory);
}

async function pandasIntoEmpty({ server }: Bench, input: Input): Promise<Outcome> {
  const python = join(import.meta.dirname, "..", ".peers", "bin", "python");
  if (!existsSync(python)) throw new Error("pandas is not installed: run bench/peers.sh");
  await server.empty();
  await server.settle();
  return measure(python, [join(import.meta.dirname, "pandas_copy.py"), input.path, server.url, table]);
}
