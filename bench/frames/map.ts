import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Inputs } from "./inputs.ts";
import { median } from "./interval.ts";
import { measureRun } from "./measure.ts";
import type { Options } from "./options.ts";
import { everySide, type Job } from "./side.ts";

const ROWS = 40_000;
const LEAST = 0.9;

/** How much of the cores a function of a millisecond a row gets through `mapPartitions`, start and end of the process included. */
export async function measureMap(inputs: Inputs, options: Options): Promise<boolean> {
  const rows = options.rows ?? ROWS;
  const input = await inputs.get("parquet", rows);
  const cores = availableParallelism();
  const scratch = mkdtempSync(join(options.directory, "scratch-"));
  const shares: number[] = [];
  try {
    for (let round = 0; round < options.repeat; round++) {
      const spill = join(scratch, "spill");
      mkdirSync(spill, { recursive: true });
      const job: Job = {
        case: "map",
        input: input.path,
        output: join(scratch, `${round}.parquet`),
        scratch: spill,
        memory: 1e9,
      };
      const run = await measureRun([...(everySide.get("pawl")?.command ?? []), JSON.stringify(job)]);
      if (run.printed.rows !== rows)
        throw new Error(`mapPartitions gave ${run.printed.rows} rows of ${rows}`);
      shares.push(rows / 1000 / run.seconds / cores);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const share = median(shares);
  const met = share >= LEAST;
  console.log(
    `\nmap: ${rows.toLocaleString("en-US")} rows of 1 ms through mapPartitions used ${share.toFixed(3)} of ${cores} cores, ≥ ${LEAST}: ${met ? "met" : "MISSED"}`,
  );
  return met;
}
