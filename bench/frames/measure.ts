import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measure } from "../load/measure.ts";

export interface Run {
  readonly seconds: number;
  /** Of processor time, of the program and all processes it started and waited for. */
  readonly cpuSeconds: number;
  /** The sum of the peaks of the program and all processes it started. */
  readonly peakBytes: number;
  /** What the program printed last, as JSON. */
  readonly printed: Printed;
}

export interface Printed {
  /** The program's own peak, which a look from outside ten times a second may miss at the very end. */
  readonly peak: number;
  /** What the case asks for beside the file that is compared, such as rows that were rejected. */
  readonly [figure: string]: unknown;
}

// Only a shell tells what grandchildren used: the kernel adds it up for who waits for them.
const timed = 'exec 3>&2; TIMEFORMAT="%U %S"; { time "$@" 2>&3; } 2>"$PAWL_BENCH_TIMES"';

/** Runs a side of a contest in a process of its own. Throws when it fails. */
export async function measureRun(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), "pawl-bench-times-"));
  const times = join(directory, "times");
  try {
    const args = ["-c", timed, "bash", ...command];
    const measured = await measure("bash", args, { ...environment, PAWL_BENCH_TIMES: times });
    const [user = "", system = ""] = readFileSync(times, "utf8").trim().split(" ");
    const printed = JSON.parse(measured.stdout.trim().split("\n").at(-1) ?? "") as Printed;
    const peakBytes = Math.max(measured.peakBytes, printed.peak);
    return { seconds: measured.seconds, cpuSeconds: Number(user) + Number(system), peakBytes, printed };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
