import { spawnSync } from "node:child_process";
import { machine } from "../load/machine.ts";
import { type Contest, hold } from "./contest.ts";
import { type InputName, Inputs } from "./inputs.ts";
import { type Options, readOptions } from "./options.ts";
import type { Side } from "./side.ts";

/** A measurement of ours alone. Tells whether its targets were met. */
export type Measurement = (inputs: Inputs, options: Options) => Promise<boolean>;

/** Runs what was asked for, one after the other: a whole benchmark, of frames or of bags. */
export async function holdAll(
  contests: readonly Contest<InputName>[],
  sides: ReadonlyMap<string, Side>,
  others: ReadonlyMap<string, Measurement>,
): Promise<void> {
  const names = [...contests.map(({ name }) => name), ...others.keys()];
  const options = read(process.argv.slice(2), names, [...sides.keys()]);
  const wanted = (name: string) => options.only.length === 0 || options.only.includes(name);
  const chosen = contests.filter(({ name }) => wanted(name));
  const taking = new Set(
    chosen.flatMap((each) => each.sides.filter((side) => options.sides?.includes(side) ?? true)),
  );
  try {
    console.log(machine());
    for (const line of new Set([...taking].map((side) => versionOf(side, sides.get(side)))))
      console.log(line);
    const inputs = new Inputs(options.directory);
    let met = true;
    for (const contest of chosen) {
      const input = await inputs.get(contest.input, options.rows ?? contest.rows);
      const { directory, repeat, pairs } = options;
      met = (await hold(contest, input, { directory, sides, chosen: options.sides, repeat, pairs })) && met;
    }
    for (const [name, measure] of others) {
      if (wanted(name)) met = (await measure(inputs, options)) && met;
    }
    console.log(met ? "\nall targets met" : "\nNOT all targets met");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/** A peer that cannot be loaded ends the benchmark before anything is measured: a table without it would say too much. */
function versionOf(name: string, side: Side | undefined): string {
  const [program = "", ...args] = side?.command ?? [];
  const { status, stdout, stderr } = spawnSync(program, [...args, "version"], { encoding: "utf8" });
  if (status === 0) return stdout.trim();
  const reason = (stderr ?? "").trim().split("\n").at(-1) ?? "";
  throw new Error(`${name} cannot be loaded (${reason}): run bench/peers.sh`);
}

function read(args: readonly string[], names: readonly string[], sides: readonly string[]): Options {
  try {
    return readOptions(args, names, sides);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
