import type { RunProgress, RunSummary } from "../batch/index.ts";
import { grouped } from "./grouped.ts";
import { duration } from "./rate.ts";
import { megabytes } from "./sizes.ts";

/**
 * Prints what a run came to: one JSON object, or a few lines and what to do next. Why it failed goes to standard
 * error, like every reason for an exit code.
 */
export function printSummary(
  summary: RunSummary,
  { unit, mendable }: Pick<RunProgress, "unit" | "mendable">,
  json: boolean,
): void {
  const { run, state, note } = summary;
  const failed = state === "failed" && note !== undefined;
  if (failed) process.stderr.write(`pawl: ${note.replace(/\.?$/, ".")}\n`);
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const speed = summary.seconds > 0 ? `, ${grouped(summary.read / summary.seconds)} ${unit}/s` : "";
  const lines = [
    `run ${run} ${state}${note === undefined || failed ? "" : `: ${note}`}`,
    ...counted(summary, unit),
    `  in ${duration(summary.seconds)}${speed}, peak memory ${megabytes(summary.peakMemoryBytes)}`,
    ...next(summary, mendable),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function counted(summary: RunSummary, unit: string): string[] {
  const rows: [string, number, string][] = [
    ["read", summary.read, unit],
    ["added", summary.added ?? 0, "by the step"],
    ["written", summary.written, ""],
    ["unchanged", summary.unchanged, ""],
    ["skipped", summary.skipped, ""],
    ["quarantined", summary.quarantined, ""],
    ["duplicates", summary.duplicates, "whose key came again"],
  ];
  return rows
    .filter(([label, count]) => count > 0 || label === "read" || label === "written")
    .map(([label, count, what]) => `  ${label.padEnd(12)}${grouped(count).padStart(14)} ${what}`.trimEnd());
}

function next(summary: RunSummary, mendable: boolean): string[] {
  const { run } = summary;
  const steps: string[] = [];
  if (summary.quarantined > 0) {
    steps.push(`  see them:     pawl failures ${run}`);
    if (mendable) steps.push(`  mend them:    pawl failures ${run} --format csv > mended.csv`);
    steps.push(`  once mended:  pawl replay ${run}${mendable ? " --from mended.csv" : ""}`);
  }
  if (summary.state === "paused" || summary.state === "failed")
    steps.push(`  go on:        the same command again, or pawl resume ${run}`);
  return steps;
}
