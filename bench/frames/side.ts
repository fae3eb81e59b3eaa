import { rmSync } from "node:fs";
import { join } from "node:path";

/** What a side of the contest is asked to do, as JSON in its only argument. */
export interface Job {
  readonly case: string;
  readonly input: string;
  /** A Parquet file with the columns user, total, n and mean, which the sides' are compared by. */
  readonly output: string;
  /** A folder for what does not fit in memory. */
  readonly scratch: string;
  /** Bytes that the whole process tree may take, where the side can be told so. */
  readonly memory: number;
}

/** Of `node side.ts JOB`; null for `node side.ts version`, which prints what it would run. */
export function readJob(): Job | null {
  const [given = ""] = process.argv.slice(2);
  return given === "version" ? null : (JSON.parse(given) as Job);
}

/** Prints what the benchmark reads, with this process' peak of memory. */
export function report(figures: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ ...figures, peak: process.resourceUsage().maxRSS * 1024 }));
}

/** Runs a part of a job and tells how much processor time it took, of all threads of this process. */
export async function cpuOf<T>(work: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  const before = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return { value, seconds: (user + system) / 1e6 };
}

const peers = join(import.meta.dirname, "..", ".peers");
const sides = join(import.meta.dirname, "sides");
const python = join(peers, "bin", "python");

export interface Side {
  readonly what: string;
  readonly command: readonly string[];
}

/** Who takes part, by name. `bench/peers.sh` installs the peers, each in one version. */
export const everySide: ReadonlyMap<string, Side> = new Map([
  ["raw", { what: "DuckDB, same SQL", command: [process.execPath, join(sides, "raw.ts")] }],
  ["dropping", { what: "DuckDB, bad rows dropped", command: [process.execPath, join(sides, "raw.ts")] }],
  ["pawl", { what: "pawl/data", command: [process.execPath, join(sides, "pawl.ts")] }],
  ["polars", { what: "Polars streaming", command: [python, join(sides, "polars_side.py")] }],
  [
    "nodejs-polars",
    { what: "nodejs-polars streaming", command: [process.execPath, join(sides, "nodejs-polars.ts")] },
  ],
  ["dask", { what: "Dask, threads", command: [python, join(sides, "dask_side.py"), "threads"] }],
  ["dask-cluster", { what: "Dask, 2 processes", command: [python, join(sides, "dask_side.py"), "cluster"] }],
]);

/** An output of an earlier run must not be taken for one of this run. */
export function removeOutput(job: Job): void {
  rmSync(job.output, { recursive: true, force: true });
}
