import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { table } from "../pool/table.ts";
import { type Findings, milliseconds, type Verdict } from "../pool/verdict.ts";
import { HARD_MS, type kinds } from "./limit-tasks.ts";
import type { Overrun } from "./limits-process.ts";
import type { Options } from "./options.ts";
import { isInstalled } from "./peers.ts";
import { Places } from "./places.ts";

/** How far from the hard limit is still at it. */
const TOLERANCE_MS = 200;

const names: Readonly<Record<keyof typeof kinds, string>> = {
  spin: "an infinite loop",
  regex: "a catastrophic regular expression",
  scrypt: "scryptSync",
  resize: "a native resize (sharp)",
  leak: "a leak",
};

/** From the first line of the handler to the moment when its process is gone; and what became of the tasks beside it. */
export async function measureLimits({ turns, directory }: Options): Promise<Findings> {
  await using places = new Places(directory);
  const rows: string[][] = [];
  const verdicts: Verdict[] = [];
  for (const [kind, name] of Object.entries(names)) {
    if (kind === "resize" && !isInstalled("sharp")) {
      rows.push([name, "left out: bench/peers.sh installs sharp"]);
      continue;
    }
    await using place = await places.open("sqlite");
    const program = join(import.meta.dirname, "limits-process.ts");
    const printed = execFileSync(process.execPath, [program, place.address, kind, String(turns)]);
    const { ranMs, neighbours, finished } = JSON.parse(String(printed)) as Overrun;
    const worst = ranMs.reduce((a, b) => (Math.abs(b - HARD_MS) > Math.abs(a - HARD_MS) ? b : a));
    rows.push([name, ...ranMs.map(milliseconds), `${finished} of ${neighbours}`]);
    verdicts.push({
      what: `${name} is stopped after (the worst of ${ranMs.length})`,
      measured: milliseconds(worst),
      target: `${milliseconds(HARD_MS)} ± ${TOLERANCE_MS}`,
      met: Math.abs(worst - HARD_MS) <= TOLERANCE_MS,
    });
    verdicts.push({
      what: "  tasks beside it that finished",
      measured: `${finished} of ${neighbours}`,
      target: "all",
      met: finished === neighbours,
    });
  }
  return { text: table([["", "ran for", ...Array(turns - 1).fill(""), "beside it"], ...rows]), verdicts };
}
