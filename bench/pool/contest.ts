import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { python } from "./peers.ts";
import { median, type Timing } from "./stopwatch.ts";

/** Who took so long in one turn already, is slow enough to be told apart, and has no other. */
const ONE_TURN_MS = 10_000;

export interface Work {
  readonly work: string;
  readonly count: number;
  readonly amount: number;
}

/**
 * Has each way do the work in turn, each time in a new process, so that none finds code compiled for another, and so
 * that what disturbs the machine for a while disturbs all alike. The result is the median of the turns.
 */
export function contest(ways: readonly string[], work: Work, turns: number): Map<string, Timing> {
  const timings = new Map<string, Timing[]>(ways.map((way) => [way, []]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [way, before] of timings) {
      if (before.some(({ cold, warm }) => cold + warm > ONE_TURN_MS / 2)) continue;
      before.push(alone(way, work));
    }
  }
  return new Map(
    [...timings].map(([way, each]) => [
      way,
      { cold: median(each.map(({ cold }) => cold)), warm: median(each.map(({ warm }) => warm)) },
    ]),
  );
}

function alone(way: string, { work, count, amount }: Work): Timing {
  const isPython = way === "python";
  const [program, file] = isPython ? [python, "contestant.py"] : [process.execPath, "contestant.ts"];
  const given = [work, ...(isPython ? [] : [way]), String(count), String(amount)];
  const printed = execFileSync(program, [join(import.meta.dirname, file), ...given], { encoding: "utf8" });
  return JSON.parse(printed) as Timing;
}
