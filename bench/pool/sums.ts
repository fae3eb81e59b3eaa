import { contest } from "./contest.ts";
import type { Options } from "./options.ts";
import type { Timing } from "./stopwatch.ts";
import { table } from "./table.ts";
import { atMost, type Findings, times, type Verdict } from "./verdict.ts";

const counts: Readonly<Record<number, number>> = { 10: 100_000, 1000: 20_000, 100000: 2_000, 10000000: 20 };
export const sizes = Object.keys(counts).map(Number);

/** The published table: the sum of the bytes of items, beside all peers. */
export function measureSums({ turns, sizes, peers, python }: Options): Findings {
  const ways = ["for of", "items.map", "pawl map", "pawl submit", ...peers];
  if (python) ways.push("python");
  const warm = [["items", "bytes each", ...ways]];
  const cold = [["items", "bytes each", ...ways]];
  const verdicts: Verdict[] = [];
  for (const size of sizes) {
    const count = counts[size] ?? 1;
    const timings = contest(ways, { work: "sum", count, amount: size }, turns);
    const begin = [count.toLocaleString("en-US"), size.toLocaleString("en-US")];
    warm.push([...begin, ...ways.map((way) => shown(timings.get(way)?.warm))]);
    cold.push([...begin, ...ways.map((way) => shown(timings.get(way)?.cold))]);
    if (size <= 1000) verdicts.push(besideLoop(size, timings));
  }
  const text = [
    "Sum of bytes, milliseconds: the median of rounds that follow a warm-up, in a process of its own,",
    `the median of ${turns} such processes`,
    table(warm),
    "\nThe same, the first round in its process: code is not compiled yet, workers have not started",
    table(cold),
  ];
  return { text: text.join("\n"), verdicts };
}

/** The faster of the two loops: which of them V8 likes better has nothing to do with the pool. */
function besideLoop(size: number, timings: ReadonlyMap<string, Timing>): Verdict {
  const loop = Math.min(warmOf(timings, "for of"), warmOf(timings, "items.map"));
  const ratio = warmOf(timings, "pawl map") / loop;
  return atMost(
    `map over items of ${size.toLocaleString("en-US")} bytes, beside the faster loop`,
    ratio,
    1.05,
    times,
  );
}

function warmOf(timings: ReadonlyMap<string, Timing>, way: string): number {
  return timings.get(way)?.warm ?? Number.NaN;
}

function shown(ms = Number.NaN): string {
  return ms.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}
