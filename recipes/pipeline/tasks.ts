import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { chain, type Flow, type GroupResults, group, type Link, parseDuration, task } from "pawl/tasks";
import { writeWhole } from "./files.ts";
import {
  type Batch,
  cleanOrders,
  fetchOrders,
  makeFeatures,
  pathOf,
  type Score,
  SEGMENTS,
  scoreSegment,
} from "./steps.ts";

export const REGIONS = ["US", "EU", "APAC"] as const;

/** The time zone in which the business day ends. */
export const TIME_ZONE = "Europe/Berlin";

interface Night {
  readonly day: string;
}

interface RegionReport extends Batch {
  readonly customers: number;
  readonly revenue: number;
  readonly best: string | null;
}

const { RETRY_BASE = "30s", WORK = "work", JOURNAL } = process.env;

const common = {
  queue: "pipeline",
  retries: 5,
  backoff: { base: parseDuration(RETRY_BASE, "RETRY_BASE"), cap: "10m" },
} as const;

/** Says which day is worked on: the one named, or the one before the night for which the schedule fired. */
export const night = task(
  { name: "night", ...common },
  ({ day }: { day?: string }, ctx): Night => ({ day: day ?? dayBefore(ctx.scheduledFor ?? new Date()) }),
);

const fetching = task(
  {
    name: "fetch-orders",
    ...common,
    softLimit: "10m",
    maps: { region: ({ day }: Night, region: string) => ({ day, region }) },
  },
  async (batch: Batch, ctx): Promise<Batch> => {
    await fetchOrders(batch, ctx.signal);
    return batch;
  },
);

const cleaning = task({ name: "clean-orders", ...common }, async (batch: Batch, ctx): Promise<Batch> => {
  const { rows, dropped } = await cleanOrders(batch);
  ctx.log(`${batch.region}: ${rows} rows, ${dropped} dropped`);
  return batch;
});

const features = task({ name: "make-features", ...common }, async (batch: Batch) => {
  await makeFeatures(batch);
  return batch;
});

const scoring = task(
  {
    name: "score-segment",
    ...common,
    maps: { segment: (batch: Batch, segment: number) => ({ batch, segment }) },
  },
  async ({ batch, segment }: { batch: Batch; segment: number }) => ({
    ...batch,
    ...(await scoreSegment(batch, segment)),
  }),
);

const reporting = task(
  { name: "report-region", ...common },
  async (scores: GroupResults<Batch & Score>, ctx): Promise<RegionReport> => {
    const all = await scores.all();
    const [first] = all;
    if (first === undefined) throw new Error("A region has no segments.");
    const { day, region } = first;
    const { best } = all.reduce((a, b) => (b.bestRevenue > a.bestRevenue ? b : a));
    const sum = (of: (score: Score) => number) => all.reduce((total, score) => total + of(score), 0);
    const report = {
      day,
      region,
      customers: sum(({ customers }) => customers),
      revenue: Math.round(sum(({ revenue }) => revenue) * 100) / 100,
      best,
    };
    await writeWhole(pathOf(report, "report.json"), [JSON.stringify(report)]);
    await note(`report ${region} of ${ctx.id}`);
    return report;
  },
);

const aggregating = task(
  { name: "aggregate", ...common },
  async (regions: GroupResults<RegionReport>, ctx) => {
    const reports = await regions.all();
    const [{ day } = { day: "" }] = reports;
    const revenue = Math.round(reports.reduce((sum, report) => sum + report.revenue, 0) * 100) / 100;
    const file = join(WORK, day, "summary.json");
    await writeWhole(file, [JSON.stringify({ day, revenue, regions: reports })]);
    await note(`aggregate of ${ctx.id}`);
    return {
      file,
      revenue,
      regions: reports.map(({ region, customers, best }) => ({ region, customers, best })),
    };
  },
);

/** A journal of what ran: an effect that a second run would double. */
async function note(line: string): Promise<void> {
  if (JOURNAL !== undefined) await appendFile(JOURNAL, `${line}\n`);
}

const segments = Array.from({ length: SEGMENTS }, (_, segment) => segment);

const regionOf = (region: string) =>
  chain(
    fetching.via("region", { with: region }),
    cleaning,
    features,
    group(segments.map((segment) => scoring.via("segment", { with: segment }))),
    reporting,
  );

/** The night from a beginning that says which day it is. */
export const nightFrom = <In>(beginning: Link<In, Night>): Flow<In, unknown> =>
  chain(beginning, group(REGIONS.map(regionOf)), aggregating);

function dayBefore(instant: Date): string {
  const local = instant.toLocaleDateString("sv-SE", { timeZone: TIME_ZONE });
  return new Date(Date.parse(local) - 86_400_000).toISOString().slice(0, 10);
}
