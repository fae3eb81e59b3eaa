import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { table } from "../pool/table.ts";
import type { Inputs } from "./inputs.ts";
import { measureRun } from "./measure.ts";
import type { Options } from "./options.ts";
import { everySide, type Job } from "./side.ts";

const MEMORY = 1e9;
/** Of 1 GB and of 10. */
const ROWS = [16_000_000, 160_000_000];
const TOLERANCE = 1.1;

/** Whether the peak of a group-by stays the same while its input becomes ten times as large. */
export async function measureFlatness(inputs: Inputs, { directory, rows }: Options): Promise<boolean> {
  const scratch = mkdtempSync(join(directory, "scratch-"));
  const lines: string[][] = [["memory: group-by over CSV", "seconds", "CPU s", "peak"]];
  const peaks: number[] = [];
  try {
    for (const each of ROWS) {
      const input = await inputs.get(
        "csv",
        rows === null ? each : Math.round((each / (ROWS[0] ?? 1)) * rows),
      );
      const spill = join(scratch, "spill");
      mkdirSync(spill, { recursive: true });
      const job: Job = {
        case: "csv",
        input: input.path,
        output: join(scratch, `${each}.parquet`),
        scratch: spill,
        memory: MEMORY,
      };
      const run = await measureRun([...(everySide.get("pawl")?.command ?? []), JSON.stringify(job)]);
      peaks.push(run.peakBytes);
      lines.push([
        `${(input.bytes / 1e9).toFixed(2)} GB`,
        run.seconds.toFixed(1),
        run.cpuSeconds.toFixed(1),
        `${Math.round(run.peakBytes / 2 ** 20)} MiB`,
      ]);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const [small = 0, big = 0] = peaks;
  const met = big <= MEMORY && big <= small * TOLERANCE;
  console.log(`\n${table(lines)}`);
  console.log(
    `${(big / small).toFixed(2)} × the memory for ten times the input, ≤ ${TOLERANCE} × and within 1 GB: ${met ? "met" : "MISSED"}`,
  );
  return met;
}
