import { machine } from "../load/machine.ts";
import { table } from "../pool/table.ts";
import type { Findings, Verdict } from "../pool/verdict.ts";
import { measureBacklog } from "./backlog.ts";
import { measureContest } from "./contest.ts";
import { measureIdle } from "./idle.ts";
import { interruption } from "./interruption.ts";
import { measureLimits } from "./limits.ts";
import { type Options, readOptions } from "./options.ts";
import { measurePickup } from "./pickup.ts";

const parts: Readonly<Record<string, (options: Options) => Promise<Findings>>> = {
  contest: measureContest,
  backlog: measureBacklog,
  pickup: measurePickup,
  idle: measureIdle,
  limits: measureLimits,
};

const options = read(process.argv.slice(2));
console.log(machine());
const verdicts: Verdict[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (options.only.length > 0 && !options.only.includes(name)) continue;
  const findings = await measure(options).catch((error) => {
    if (interruption.aborted) process.exit(130);
    throw error;
  });
  if (findings.text !== "") console.log(`\n${findings.text}`);
  verdicts.push(...findings.verdicts);
}
const rows = verdicts.map(({ what, measured, target, met }) => {
  return [what, measured, target ?? "", met === null ? "" : met ? "met" : "MISSED"];
});
if (rows.length > 0) console.log(`\n${table([["", "measured", "target", ""], ...rows], [0, 3])}`);

function read(args: readonly string[]): Options {
  try {
    return readOptions(args, Object.keys(parts));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
