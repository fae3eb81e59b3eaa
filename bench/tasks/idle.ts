import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { atMost, type Findings, type Unit, type Verdict } from "../pool/verdict.ts";
import type { Options } from "./options.ts";
import { type Kind, Places } from "./places.ts";

const percent: Unit = (value) => `${(value * 100).toFixed(2)} %`;

/** What a worker costs that has nothing to do: the processor time of its process, as a share of one core. */
export async function measureIdle({ directory }: Options): Promise<Findings> {
  await using places = new Places(directory);
  const verdicts: Verdict[] = [];
  for (const [kind, what] of [
    ["sqlite", "SQLite"],
    ["postgres", "PostgreSQL"],
  ] as const satisfies readonly (readonly [Kind, string])[]) {
    await using place = await places.open(kind);
    const program = join(import.meta.dirname, "idle-worker.ts");
    const share = Number(execFileSync(process.execPath, [program, place.address], { encoding: "utf8" }));
    verdicts.push(atMost(`a worker of four idle queues, ${what}: of a core`, share, 0.01, percent));
  }
  return { text: "", verdicts };
}
