import { setTimeout as sleep } from "node:timers/promises";
import type { RunProgress } from "../../batch/index.ts";
import { AT_REST, readProgress, summaryOf, workersOf } from "../../batch/internal.ts";
import { grouped } from "../../count-text.ts";
import { sizeText } from "../../sizes.ts";
import type { JobReference, RunRecord, Sample, Store } from "../../store/contract.ts";
import { jsonText, visible } from "../../visible.ts";
import { withFlagsOf } from "../options/flag-names.ts";
import { originOf } from "../quarantine/origin.ts";
import { span, unitFor, withUnit } from "../terminal/format.ts";
import { nextCommand } from "../terminal/next-command.ts";
import { clearTerminal, print, write } from "../terminal/output.ts";

/** `pawl status`: the newest runs, one a line. */
export async function listRuns(json: boolean, store: Store): Promise<void> {
  const runs = await store.runs({ limit: 20 });
  const rows = await Promise.all(
    runs.map(async (run) => ({ run, progress: await readProgress(store, run) })),
  );
  if (json) {
    print(jsonText(rows.map(({ progress }) => summaryOf(progress))));
    return;
  }
  if (rows.length === 0) {
    print(`no runs yet in ${store.location}`);
    return;
  }
  for (const { run, progress } of rows) {
    const when = new Date(run.createdAt).toISOString().slice(0, 16).replace("T", " ");
    const read = withUnit(progress.counts.read, progress.unit);
    print([`${run.id}  ${when}  ${run.state.padEnd(10)} ${read.padStart(18)}  ${run.job.name}`]);
  }
}

/** `pawl status RUN`: everything that is known of a run, once or again every second. */
export async function showRun(
  run: RunRecord,
  flags: { json?: boolean; watch?: boolean },
  store: Store,
): Promise<void> {
  for (;;) {
    const record = (await store.run(run.id)) ?? run;
    const progress = await readProgress(store, record);
    const samples = await store.samples(run.id);
    const workers = AT_REST.has(record.state) ? [] : await workersOf(store, run.id);
    const text = flags.json
      ? jsonText({
          ...summaryOf(progress),
          job: record.job,
          workers,
          shards: progress.shards,
          history: samples,
        })
      : describeRun(record, progress, { samples, workers, job: (await originOf(record, store)).job });
    if (flags.watch) clearTerminal();
    const read = await write(`${text}\n`);
    if (!flags.watch || !read || AT_REST.has(record.state)) return;
    await sleep(1000);
  }
}

function describeRun(
  run: RunRecord,
  progress: RunProgress,
  {
    samples,
    workers,
    job,
  }: {
    readonly samples: readonly Sample[];
    readonly workers: readonly string[];
    /** Whose flags are named: for a replay that of the run that is replayed. */
    readonly job: JobReference;
  },
): string {
  const { counts, unit } = progress;
  const total = progress.items === null ? "" : ` of ${grouped(progress.items)}`;
  const time = (at: number) => new Date(at).toISOString().replace("T", " ").slice(0, 19);
  const done = progress.shards.filter((shard) => shard.state === "succeeded").length;
  const lines = [
    `run ${run.id}  ${run.state}${run.note === null ? "" : `: ${withFlagsOf(job, run.note)}`}`,
    `  job          ${run.job.name}${run.replayOf === null ? "" : `, replay of ${run.replayOf}`}`,
    `  source       ${progress.source}`,
    `  begun        ${time(run.createdAt)} UTC`,
    ...(run.finishedAt === null ? [] : [`  ended        ${time(run.finishedAt)} UTC`]),
    `  read         ${grouped(counts.read)}${total} ${unitFor(progress.items ?? counts.read, unit)}`,
    `  written      ${grouped(counts.written)}`,
    `  unchanged    ${grouped(counts.unchanged)}`,
    `  skipped      ${grouped(counts.skipped)}`,
    `  quarantined  ${grouped(counts.quarantined)}`,
    `  duplicates   ${grouped(counts.duplicates)}`,
    `  worked       ${span(progress.activeMs)}, peak memory ${sizeText(progress.peakMemoryBytes)}`,
    `  shards       ${done} of ${progress.shards.length} done`,
  ];
  const rates = ratesOf(samples);
  if (rates.length > 1)
    lines.push(`  rate         ${sparkline(rates)}  up to ${withUnit(Math.max(...rates), unit)}/s`);
  if (!AT_REST.has(run.state)) {
    lines.push(
      `  workers      ${workers.length === 0 ? `none: the process is gone, continue with ${nextCommand(["resume", run.id])}` : workers.join(", ")}`,
    );
  }
  for (const shard of progress.shards) {
    if (shard.error !== null)
      lines.push(`  shard ${shard.number}      ${shard.state}: ${withFlagsOf(job, shard.error)}`);
  }
  return lines.map(visible).join("\n");
}

/** Items a second between the points of the history. */
function ratesOf(samples: readonly Sample[]): number[] {
  const points = samples.map((sample) => sample.value as unknown as { read: number; activeMs: number });
  const rates: number[] = [];
  for (let at = 1; at < points.length; at++) {
    const [before, after] = [points[at - 1], points[at]];
    if (!before || !after || after.activeMs <= before.activeMs) continue;
    rates.push(Math.max(0, ((after.read - before.read) * 1000) / (after.activeMs - before.activeMs)));
  }
  return rates;
}

const BARS = "▁▂▃▄▅▆▇█";
const WIDTH = 40;

function sparkline(rates: readonly number[]): string {
  const most = Math.max(...rates, 1);
  const perBar = Math.max(1, rates.length / WIDTH);
  let line = "";
  for (let at = 0; at < rates.length; at += perBar) {
    const part = rates.slice(Math.floor(at), Math.max(Math.floor(at) + 1, Math.floor(at + perBar)));
    const mean = part.reduce((sum, rate) => sum + rate, 0) / part.length;
    line += BARS[Math.min(BARS.length - 1, Math.floor((mean / most) * BARS.length))] ?? "";
  }
  return line;
}
