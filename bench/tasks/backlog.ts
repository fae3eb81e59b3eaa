import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { table } from "../pool/table.ts";
import { atLeast, type Findings, perSecond, type Unit, type Verdict } from "../pool/verdict.ts";
import type { BacklogRounds } from "./backlog-process.ts";
import type { Options } from "./options.ts";
import { type Kind, Places } from "./places.ts";

const percent: Unit = (value) => `${Math.round(value * 100)} %`;

/** Enqueue and drain while very many wait, beside an empty queue: round for round, in one process, on one server. */
export async function measureBacklog({ tasks, backlog, turns, directory }: Options): Promise<Findings> {
  await using places = new Places(directory);
  const rows: string[][] = [];
  const verdicts: Verdict[] = [];
  for (const [kind, what] of [
    ["sqlite", "SQLite"],
    ["postgres", "PostgreSQL"],
  ] as const satisfies readonly (readonly [Kind, string])[]) {
    await using empty = await places.open(kind);
    await using full = await places.open(kind);
    const program = join(import.meta.dirname, "backlog-process.ts");
    const args = [empty.address, full.address, ...[tasks, backlog, turns].map(String)];
    const rounds = JSON.parse(execFileSync(process.execPath, [program, ...args], { encoding: "utf8" }));
    const { before, behind } = rounds as BacklogRounds;
    for (const step of ["enqueueMs", "drainMs"] as const) {
      const rate = (of: BacklogRounds["before"]) =>
        (tasks / Math.min(...of.map((round) => round[step]))) * 1000;
      const [alone, among] = [rate(before), rate(behind)];
      const name = step === "enqueueMs" ? "enqueue" : "drain";
      rows.push([`${what}: ${name}`, perSecond(alone), perSecond(among)]);
      const waiting = `${backlog.toLocaleString("en-US")} waiting`;
      verdicts.push(atLeast(`${what}: ${name} with ${waiting}`, among / alone, 0.8, percent));
    }
  }
  return { text: table([["", "empty queue", "with a backlog"], ...rows]), verdicts };
}
