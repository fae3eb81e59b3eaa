import { machine } from "../load/machine.ts";
import { measureActorRates } from "./actor-rates.ts";
import { measureCalls } from "./calls.ts";
import { measureCores } from "./cores.ts";
import { measureCrossover } from "./crossover.ts";
import { measureKills } from "./kills.ts";
import { type Options, readOptions } from "./options.ts";
import { installed, pythonInstalled } from "./peers.ts";
import { measureShared } from "./shared.ts";
import { measureSums, sizes } from "./sums.ts";
import { table } from "./table.ts";
import type { Findings, Verdict } from "./verdict.ts";

const parts: Readonly<Record<string, (options: Options) => Findings | Promise<Findings>>> = {
  sums: measureSums,
  calls: measureCalls,
  cores: measureCores,
  shared: measureShared,
  actors: measureActorRates,
  kills: measureKills,
  crossover: measureCrossover,
};

const options = read(process.argv.slice(2));
console.log(machine());
if (installed.length < 3 || !pythonInstalled)
  console.log("Some peers are missing: bench/peers.sh installs them.");
const verdicts: Verdict[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (options.only.length > 0 && !options.only.includes(name)) continue;
  const findings = await measure(options);
  if (findings.text !== "") console.log(`\n${findings.text}`);
  verdicts.push(...findings.verdicts);
}
if (verdicts.length > 0) {
  const rows = verdicts.map(({ what, measured, target, met }) => {
    return [what, measured, target ?? "", met === null ? "" : met ? "met" : "MISSED"];
  });
  console.log(`\n${table([["", "measured", "target", ""], ...rows], [0, 3])}`);
}

function read(args: readonly string[]): Options {
  try {
    return readOptions(args, Object.keys(parts), sizes);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
