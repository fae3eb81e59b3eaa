import type { PreparedRun } from "../../batch/internal.ts";
import { type DryRun, dryRun } from "../../batch/internal.ts";
import { grouped } from "../../count-text.ts";
import { sizeText } from "../../sizes.ts";
import type { JobReference, Json } from "../../store/contract.ts";
import type { StateLocation } from "../../store/internal.ts";
import { jsonText } from "../../visible.ts";
import { reasonWithFlags, withFlagsOf } from "../options/flag-names.ts";
import { withUnit } from "../terminal/format.ts";
import { print } from "../terminal/output.ts";
import { LOAD_MODULE } from "./built-in-jobs.ts";

/** Reasons shown; the rest are like them. */
const REASONS = 3;

/** Shows what a run would do. Nothing was changed to find out, or it was taken back at once. */
export async function showDryRun(
  prepared: PreparedRun,
  location: StateLocation,
  json: boolean,
): Promise<void> {
  const { source, sink, notes } = prepared;
  try {
    const trial = await dryRun(prepared, location.runs);
    const plan = {
      source: source.name,
      bytes: source.bytes,
      columns: source.columns,
      guarantee: sink.guarantee,
      ordering: sink.ordering.kind,
      notes: [...notes, ...(trial?.notes ?? [])],
      ...(trial === null ? {} : { items: trial.items, shards: trial.shards, sample: sampleOf(trial) }),
    };
    if (json) {
      print(jsonText(plan));
      return;
    }
    const size = source.bytes === null ? "" : `, ${sizeText(source.bytes)}`;
    const { job } = prepared.run;
    const lines = [
      trial === null || job.module === LOAD_MODULE
        ? `would load ${source.name}${size}`
        : `would work through ${source.name}${size}`,
      ...(source.columns ? [`  columns    ${source.columns.join(", ")}`] : []),
      ...(trial === null ? [] : dryRunLines(trial, source.unit, job)),
      `  guarantee  ${sink.guarantee}`,
      ...plan.notes.flatMap((note) => note.split("\n")).map((note) => `  ${withFlagsOf(job, note)}`),
      "nothing was written: leave out --dry-run to start",
    ];
    print(lines);
  } finally {
    await sink.close();
  }
}

/** The first chunk, with the reasons alone of items that failed. */
function sampleOf({ chunk }: DryRun): Json {
  return chunk === null ? null : { ...chunk, failures: chunk.failures.map(({ reason }) => reason) };
}

function dryRunLines({ items, shards, chunk }: DryRun, unit: string, job: JobReference): string[] {
  const about = items === null ? "" : `about ${withUnit(items, unit)} in `;
  const plan = `  plan       ${about}${shards} ${shards === 1 ? "shard" : "shards"}`;
  if (chunk === null) return [plan, `  one chunk  there are no ${unit}`];
  const { written, unchanged, skipped, failures, ms } = chunk;
  const counts = [
    `${grouped(written)} written`,
    `${grouped(unchanged)} unchanged`,
    `${grouped(skipped)} skipped`,
    `${grouped(failures.length)} quarantined`,
  ];
  return [
    plan,
    `  one chunk  ${withUnit(chunk.items, unit)} in ${Math.ceil(ms)} ms, taken back: ${counts.join(", ")}`,
    ...failures.slice(0, REASONS).map((failure) => `    quarantined  ${reasonWithFlags(job, failure)}`),
  ];
}
