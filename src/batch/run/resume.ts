/** Which unfinished run the same work continues, which one is given up for a new one, and which one is busy in another process. */
import { canonicalJson } from "../../canonical-json.ts";
import { PawlError } from "../../errors.ts";
import type { Json, RunRecord, Store } from "../../store/contract.ts";
import type { Description, OpenSink } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";
import { UNFINISHED, workersOf } from "./control.ts";
import { assertSameLocations, assertSameSource, locationDifference, sourceDifference } from "./difference.ts";
import { finalizeRun } from "./finalize.ts";
import { readProgress, SHARD } from "./progress.ts";

/**
 * The key of the work that a run does: with an equal key an unfinished run is resumed. The order of the parameters does not
 * matter.
 */
export function jobKey(job: AnyJob, params: Json): string {
  return job.key ?? `${job.name} ${canonicalJson(params)}`;
}

/** The unfinished run of the same work, if there is one. */
export async function unfinishedRun(store: Store, key: string): Promise<RunRecord | undefined> {
  const runs = await store.runs({ key });
  return runs.find((run) => UNFINISHED.includes(run.state));
}

/** What is needed to judge an unfinished run. */
interface Now {
  readonly job: AnyJob;
  readonly source: Description;
  readonly store: Store;
  /** The user asked for a new run. */
  readonly restart: boolean;
  /** This process takes part in the run, which others are at work on. */
  readonly takesPart: boolean;
}

/**
 * What becomes of an unfinished run of the same work: it is resumed, or given up for a new one. Refuses, with one sentence, a
 * run that another process is at work on, and one that began with another source or at other locations.
 */
export async function resumeOrGiveUp(
  run: RunRecord,
  { job, source, store, restart, takesPart }: Now,
): Promise<{ readonly resumed?: RunRecord; readonly givenUp?: RunRecord }> {
  const [worker] = takesPart ? [] : await workersOf(store, run.id);
  if (worker !== undefined) throw new PawlError("run.busy", busy(run, worker));
  if (run.state === "cancelling" && !takesPart) {
    // The process that was to end it has died.
    await finalizeRun(store, run.id, null);
    return { givenUp: run };
  }
  if (restart) {
    await giveUp(store, run, "given up for a new run with `restart: true`");
    return { givenUp: run };
  }
  const difference = sourceDifference(run, source, job.source);
  const elsewhere = await locationDifference(run, job.sink);
  if ((difference ?? elsewhere) !== null && !takesPart && !(await isPlanned(store, run))) {
    // Nothing was written yet: what stopped it, such as an unclosed quote, has been corrected since.
    await giveUp(store, run, "nothing was written before it stopped");
    return { givenUp: run };
  }
  assertSameSource(run, difference);
  assertSameLocations(run, elsewhere, "resumed");
  return { resumed: run };
}

function busy(run: RunRecord, worker: string): string {
  return `The same work is already running as run ${run.id} (worker ${worker}): follow it with pawl attach ${run.id}, or stop it with pawl pause ${run.id}.`;
}

async function isPlanned(store: Store, run: RunRecord): Promise<boolean> {
  return (await store.query({ flow: run.id })).some((task) => task.name === SHARD);
}

async function giveUp(store: Store, run: RunRecord, note: string): Promise<void> {
  await store.updateRun(run.id, UNFINISHED, { state: "cancelled", note });
  await store.requestCancel({ flow: run.id });
}

/**
 * Refuses to continue in a target that does not know the shards that are done: another database under the same name, or one
 * that was restored from a backup. What the run has written would be missing in it.
 */
export async function assertSameTarget(store: Store, run: RunRecord, sink: OpenSink<unknown>): Promise<void> {
  const finished = (await sink.finished?.()) ?? null;
  if (finished === null) return;
  const { shards } = await readProgress(store, run);
  const done = shards.filter(({ state, counts }) => state === "succeeded" && counts.read > 0);
  const missing = done.filter(({ number }) => !finished.has(number));
  if (missing.length === 0) return;
  throw new PawlError(
    "run.other-target",
    `Run ${run.id} has done ${done.length} of its ${shards.length} parts, and the target does not know of ${missing.length} of them: it is another database, or was set back ` +
      "to an earlier state; name the one that the run began with, or start over with `restart: true`.",
  );
}
