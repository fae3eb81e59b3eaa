import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PawlError } from "../../errors.ts";
import { openOwnFolder, openStateFolder } from "../../private-folder.ts";
import type { RunRecord } from "../../store/contract.ts";
import type { Chunk, Description, OpenSink } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";
import { memoryOf } from "../job/memory.ts";
import { JobLimits } from "../job/work-limits.ts";
import { Transform } from "../transform/transform.ts";
import { locationDifference } from "./difference.ts";

/** Items of the sample from which types are inferred. */
const SAMPLE_ITEMS = 10_000;
/** How long transforms may take over them, in milliseconds. */
const SAMPLE_MS = 1_000;

export interface SinkLocation {
  readonly source: Description;
  /** The folder in which runs keep what they need on this machine. */
  readonly runs: string;
  readonly signal: AbortSignal;
  /** Check the target, but change nothing in it. */
  readonly dryRun?: boolean;
}

/** Where a run keeps what it needs on this machine; `runs` is the folder of all of them. */
function keptFolder(runs: string, run: string): string {
  return join(runs, run, "kept");
}

/** Opens the sink of a job for a run; `folder` is where that one keeps what it needs on this machine. */
export async function openSink(
  job: AnyJob,
  run: string,
  { source, runs, signal, dryRun = false }: SinkLocation,
): Promise<{ sink: OpenSink<unknown>; folder: string }> {
  // The run trusts what is in there: its listing, what it has copied, which uploads it has begun.
  openStateFolder(dirname(runs));
  openOwnFolder(runs);
  const folder = keptFolder(runs, run);
  const sink = await job.sink.open({
    run,
    source,
    transformed: job.transform !== undefined,
    dryRun,
    partial: job.partial ?? false,
    memory: memoryOf(job).inFlight,
    folder,
    cache: join(dirname(runs), "cache"),
    limits: new JobLimits(job),
    signal,
    sample: () => sampleOf(job),
  });
  assertPromises(job, sink);
  return { sink, folder };
}

const GUARANTEES: readonly unknown[] = ["transactional", "idempotent", "none"];
const ORDERINGS: readonly unknown[] = ["any", "byKey", "total"];

/** What a sink guarantees decides what may be repeated, so that an unknown word is refused. */
function assertPromises(job: AnyJob, { guarantee, ordering }: OpenSink<unknown>): void {
  const refuse = (what: string, given: unknown, known: readonly unknown[]) => {
    throw new PawlError(
      "job.sink",
      `The sink of job ${job.name} has the ${what} ${JSON.stringify(given) ?? "undefined"}: it must be one of ${known.join(", ")}.`,
    );
  };
  if (!GUARANTEES.includes(guarantee)) refuse("guarantee", guarantee, GUARANTEES);
  if (!ORDERINGS.includes(ordering?.kind)) refuse("ordering", ordering?.kind, ORDERINGS);
}

/** The first items as they reach the sink: fewer of them where the transform takes long. */
async function sampleOf(job: AnyJob): Promise<readonly unknown[]> {
  const items = await job.source.sample(SAMPLE_ITEMS);
  if (!job.transform) return items;
  const transform = new Transform({ transform: job.transform.bind(job), concurrency: job.concurrency });
  const { signal } = new AbortController();
  const results: unknown[] = [];
  const began = performance.now();
  for (let at = 0, count = 1; at < items.length && performance.now() - began < SAMPLE_MS; count *= 2) {
    const chunk = chunkOf(items.slice(at, at + count));
    const { output } = await transform.chunk(chunk, 0, { stop: signal, end: signal });
    for await (const slice of output.slices()) results.push(...slice);
    at += count;
  }
  return results;
}

function chunkOf(items: readonly unknown[]): Chunk<unknown> {
  return {
    items: items.length,
    bytes: 0,
    end: null,
    slices: async function* () {
      yield items;
    },
    origin: async () => ({ raw: new Uint8Array(), at: "the sample" }),
  };
}

/**
 * Removes what a run that was given up needed, at its target and on this machine: uploads that it began, checkpoints, the
 * listing. What it wrote stays. If the sink has other locations by now, only what is on this machine is removed. No process may
 * be at work on the run. Safe to repeat.
 */
export async function clearAway(job: AnyJob, run: RunRecord, location: SinkLocation): Promise<void> {
  if ((await locationDifference(run, job.sink)) !== null) {
    await rm(keptFolder(location.runs, run.id), { recursive: true, force: true });
    return;
  }
  const { sink } = await openSink(job, run.id, location);
  try {
    await sink.finalize("given up");
  } finally {
    await sink.close();
  }
}
