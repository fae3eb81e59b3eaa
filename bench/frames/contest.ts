import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { table } from "../pool/table.ts";
import { type Interval, intervalOf, median } from "./interval.ts";
import { measureRun, type Run } from "./measure.ts";
import { type Job, removeOutput, type Side } from "./side.ts";

/** One question that several sides answer, each in processes of its own. */
export interface Contest<InputName extends string> {
  readonly name: string;
  /** For people. */
  readonly what: string;
  readonly input: InputName;
  readonly rows: number;
  /** Bytes that a process tree may take; ours is held to it, and so is the engine alone. */
  readonly memory: number;
  readonly sides: readonly string[];
  /** What a side calls the case, where that is not the case's name. */
  readonly asks?: ReadonlyMap<string, string>;
  /** What ours is compared with. */
  readonly against: readonly Comparison[];
  /** Throws where the sides have come to different results. */
  same(results: readonly Result[]): Promise<void>;
  /** Throws where what they counted differs. */
  figures?(results: readonly Result[]): void;
  /** The processor time that is judged, where it is not all of the process. */
  cpuSeconds?(run: Run): number;
  /** Printed below the table. */
  details?(runs: ReadonlyMap<string, readonly Run[]>): string;
}

export interface Comparison {
  readonly side: string;
  /** Processor time is meaningful whatever else the machine does; the wall clock only where it is idle. */
  readonly by: "cpu" | "wall";
  /** Ours as a multiple of the side's. */
  readonly atMost?: number;
  /** The side's as a multiple of ours. */
  readonly atLeast?: number;
}

export interface Result {
  readonly side: string;
  readonly run: Run;
  readonly output: string;
}

export interface Plan {
  readonly directory: string;
  readonly sides: ReadonlyMap<string, Side>;
  /** Names of sides; the others do not take part. Null for all. */
  readonly chosen: readonly string[] | null;
  readonly repeat: number;
  /** Of ours and the engine in turn; 0 for none. */
  readonly pairs: number;
}

const OURS = "pawl";

/** Has every side answer in turn, compares what they came to, and prints a table. Tells whether all targets were met. */
export async function hold<InputName extends string>(
  contest: Contest<InputName>,
  input: { readonly path: string; readonly bytes: number },
  plan: Plan,
): Promise<boolean> {
  const scratch = mkdtempSync(join(plan.directory, "scratch-"));
  try {
    const sides = contest.sides.filter((side) => plan.chosen?.includes(side) ?? true);
    const runs = new Map<string, Run[]>(sides.map((side) => [side, []]));
    const once = (side: string) => runOnce(contest, side, input.path, scratch, plan);
    // Rounds, not blocks of one side: what disturbs the machine for a while then disturbs all alike.
    for (let round = 1; round <= plan.repeat; round++) {
      const results: Result[] = [];
      for (const [side, before] of runs) {
        const result = await once(side);
        before.push(result.run);
        results.push(result);
        console.error(`${contest.name}, ${side}: ${result.run.seconds.toFixed(1)} s`);
      }
      await contest.same(results);
      contest.figures?.(results);
    }
    const pairs = await alternate(contest, sides, once, plan.pairs);
    return print(contest, input.bytes, runs, pairs, plan);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runOnce<InputName extends string>(
  contest: Contest<InputName>,
  name: string,
  input: string,
  scratch: string,
  plan: Plan,
): Promise<Result> {
  const side = plan.sides.get(name);
  if (side === undefined) throw new Error(`there is no side ${name}`);
  const spill = join(scratch, `spill-${name}`);
  mkdirSync(spill, { recursive: true });
  const job: Job = {
    case: contest.asks?.get(name) ?? contest.name,
    input,
    output: join(scratch, `${name}.parquet`),
    scratch: spill,
    memory: contest.memory,
  };
  removeOutput(job);
  const run = await measureRun([...side.command, JSON.stringify(job)]);
  rmSync(spill, { recursive: true, force: true });
  return { side: name, run, output: job.output };
}

/** Ours and the first side that is compared by processor time, in pairs whose order turns round each time. */
async function alternate<InputName extends string>(
  contest: Contest<InputName>,
  sides: readonly string[],
  once: (side: string) => Promise<Result>,
  pairs: number,
): Promise<(Interval & { readonly side: string }) | null> {
  const rival = contest.against.find(({ by }) => by === "cpu")?.side;
  if (pairs === 0 || rival === undefined || !sides.includes(rival) || !sides.includes(OURS)) return null;
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [rival, OURS] : [OURS, rival];
    const cpu = new Map<string, number>();
    for (const side of order) {
      const { run } = await once(side);
      cpu.set(side, contest.cpuSeconds?.(run) ?? run.cpuSeconds);
    }
    const ratio = (cpu.get(OURS) ?? Number.NaN) / (cpu.get(rival) ?? Number.NaN);
    ratios.push(ratio);
    console.error(`${contest.name}, pair ${pair + 1} of ${pairs}: ${ratio.toFixed(3)}`);
  }
  return { side: rival, ...intervalOf(ratios) };
}

function print<InputName extends string>(
  contest: Contest<InputName>,
  bytes: number,
  runs: ReadonlyMap<string, readonly Run[]>,
  pairs: (Interval & { readonly side: string }) | null,
  plan: Plan,
): boolean {
  const of = (side: string, pick: (run: Run) => number) => median((runs.get(side) ?? []).map(pick));
  const peak = (side: string) => Math.max(...(runs.get(side) ?? []).map((run) => run.peakBytes));
  const cpuOf = (run: Run) => contest.cpuSeconds?.(run) ?? run.cpuSeconds;
  const lines = [...runs.keys()].map((side) => [
    plan.sides.get(side)?.what ?? side,
    of(side, (run) => run.seconds).toFixed(2),
    of(side, (run) => run.cpuSeconds).toFixed(2),
    mebibytes(peak(side)),
  ]);
  console.log(`\n${contest.name}: ${contest.what} (${Math.round(bytes / 1e6).toLocaleString("en-US")} MB)`);
  console.log(table([["", "seconds", "CPU s", "peak"], ...lines]));
  let met = true;
  const verdicts: string[][] = [];
  const judge = (what: string, measured: string, target: string, good: boolean) => {
    met &&= good;
    verdicts.push([what, measured, target, good ? "met" : "MISSED"]);
  };
  if (runs.has(OURS)) {
    for (const { side, by, atMost, atLeast } of contest.against) {
      if (!runs.has(side)) continue;
      const pick = (run: Run) => (by === "cpu" ? cpuOf(run) : run.seconds);
      const unit = by === "cpu" ? "CPU seconds" : "wall clock";
      if (atMost !== undefined) {
        const { middle, low, high } = pairs ?? {
          middle: of(OURS, pick) / of(side, pick),
          low: null,
          high: null,
        };
        const range = low === null ? "" : ` [${low.toFixed(3)}, ${high.toFixed(3)}], ${plan.pairs} pairs`;
        judge(`ours / ${side}, ${unit}`, `${middle.toFixed(3)}${range}`, `≤ ${atMost}`, middle <= atMost);
      }
      if (atLeast !== undefined) {
        const ratio = of(side, pick) / of(OURS, pick);
        judge(`${side} / ours, ${unit}`, `${ratio.toFixed(2)} ×`, `≥ ${atLeast} ×`, ratio >= atLeast);
      }
    }
    judge(
      "peak of ours",
      mebibytes(peak(OURS)),
      `≤ ${mebibytes(contest.memory)}`,
      peak(OURS) <= contest.memory,
    );
  }
  if (contest.details) console.log(contest.details(runs));
  if (verdicts.length > 0) console.log(table(verdicts, [0, 3]));
  return met;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
