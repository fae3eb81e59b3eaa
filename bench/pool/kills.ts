import { type Isolation, Pool, TimeLimitError } from "../../dist/pool/index.js";
import { median } from "./stopwatch.ts";
import { hashForEver, spinForEver, square, squareOf } from "./tasks.ts";
import { atMost, beside, type Findings, milliseconds, type Verdict } from "./verdict.ts";

const ROUNDS = 9;
const LIMIT_MS = 100;

/**
 * From the moment when an item's time is over to the error. The time is counted from the call, and so is a little too
 * long: the worker is idle and knows the function, but the message has to reach it.
 */
export async function measureKills(): Promise<Findings> {
  const verdicts: Verdict[] = [];
  for (const [what, isolate, fn, most] of [
    ["a busy JavaScript loop in a thread", "thread", spinForEver, 50],
    ["a busy JavaScript loop in a process", "process", spinForEver, 50],
    ["native code in a process", "process", hashForEver, 200],
  ] as const) {
    const late = await lateness(isolate, fn);
    verdicts.push(atMost(`hard limit ends ${what}, after`, median(late), most, milliseconds));
    verdicts.push(beside(`  the slowest of ${ROUNDS}`, milliseconds(Math.max(...late))));
  }
  return { text: "", verdicts };
}

async function lateness(isolate: Isolation, fn: () => unknown): Promise<number[]> {
  await using pool = new Pool({ workers: 1, isolate });
  const late: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // The worker of the last round was ended: this waits for the one that takes its place.
    if ((await pool.apply(square, 3)) !== squareOf(3))
      throw new Error("the new worker computes something else");
    const began = performance.now();
    const error = await pool
      .submitWith({ timeout: LIMIT_MS }, fn)
      .result()
      .then(nothing, (error) => error);
    if (!(error instanceof TimeLimitError)) throw new Error(`the item was not ended, but: ${error}`);
    late.push(performance.now() - began - LIMIT_MS);
  }
  return late;
}

function nothing(): null {
  return null;
}
