import { availableParallelism } from "node:os";
import { contest } from "./contest.ts";
import type { Options } from "./options.ts";
import { once } from "./stopwatch.ts";
import { table } from "./table.ts";
import { churn } from "./tasks.ts";
import { atLeast, type Findings, type Verdict } from "./verdict.ts";

/** Blocks of `churn` that take a microsecond here. */
export async function blocksPerMicrosecond(): Promise<number> {
  const blocks = 100_000;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) best = Math.min(best, await once(() => churn(blocks)));
  return blocks / (best * 1000);
}

/** How many cores' worth of work a map gets out of them, beside the loop that has one. */
export async function measureCores({ turns, peers }: Options): Promise<Findings> {
  const cores = availableParallelism();
  const pace = await blocksPerMicrosecond();
  const ways = ["items.map", "pawl map", "pawl submit", ...peers];
  const rows = [["items", "each", ...ways]];
  const verdicts: Verdict[] = [];
  for (const [count, ms] of [
    [400, 1],
    [80, 5],
  ] as const) {
    const timings = contest(ways, { work: "churn", count, amount: Math.round(pace * ms * 1000) }, turns);
    const warm = (way: string) => timings.get(way)?.warm ?? Number.NaN;
    rows.push([String(count), `${ms} ms`, ...ways.map((way) => warm(way).toFixed(0))]);
    const share = warm("items.map") / warm("pawl map") / cores;
    const unit = (value: number) => `${value.toFixed(2)} × ${cores} cores`;
    verdicts.push(atLeast(`map over ${count} items of ${ms} ms`, share, 0.9, unit));
  }
  return { text: `Work for the processor alone, milliseconds (warm)\n${table(rows)}`, verdicts };
}
