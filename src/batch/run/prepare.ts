import { createHash } from "node:crypto";
import { PawlError } from "../../errors.ts";
import type { JobReference, Json, RunRecord, Store } from "../../store/contract.ts";
import { stateLocation } from "../../store/internal.ts";
import type { Description, OpenSink } from "../contract.ts";
import { type AnyJob, jobKey, parseMaxQuarantined } from "../job/job.ts";
import { memoryOf } from "../job/memory.ts";
import { assertResumable, reopen, UNFINISHED, workersOf } from "./control.ts";
import { finalizeRun } from "./finalize.ts";
import {
  assertSameLocations,
  assertSameSource,
  locationDifference,
  newRunId,
  sourceDifference,
} from "./identity.ts";
import { clearAway, openSink } from "./open-sink.ts";
import { detailsOf, type RunDetails, readProgress, SHARD } from "./progress.ts";

export interface PrepareOptions {
  readonly store: Store;
  /** How another process finds the job; without it the run can only be resumed from the same code. */
  readonly reference?: JobReference;
  /** Give up an unfinished run of the same work and start over. */
  readonly restart?: boolean;
  /** Change nothing, neither in the store nor in the target. */
  readonly dryRun?: boolean;
  /** Continue just this run. */
  readonly run?: RunRecord;
  /** Take part in that run, which others are at work on. */
  readonly takesPart?: boolean;
  readonly replayOf?: string;
  readonly signal?: AbortSignal;
  /** The folder in which runs keep what they need on this machine. Default: that of `stateLocation`. */
  readonly runs?: string;
}

/** A run that is stored, checked at both ends, and ready to be worked on. */
export interface PreparedRun {
  readonly run: RunRecord;
  /** It continues where an earlier process stopped. */
  readonly resumed: boolean;
  readonly job: AnyJob;
  readonly source: Description;
  readonly sink: OpenSink<unknown>;
  readonly store: Store;
  /** What the run keeps on this machine is in here. */
  readonly folder: string;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/**
 * Checks both ends of a job and stores its run, or finds the unfinished run of the same work and makes it ready to
 * be resumed. Refuses, with one sentence, a source that has changed and work that another process is doing.
 */
export async function prepare(job: AnyJob, options: PrepareOptions): Promise<PreparedRun> {
  const { store, dryRun = false, takesPart: joins = false } = options;
  if (options.run) assertResumable(options.run);
  // Throws if the memory is too little.
  memoryOf(job);
  parseMaxQuarantined(job.maxQuarantined ?? 1000);
  const reference = options.reference ?? { name: job.name, module: null, params: null };
  const source = await job.source.describe();
  const key = options.run?.key ?? jobKey(job, reference.params);
  let givenUp: RunRecord | null = null;
  let unfinished = options.run ?? (await unfinishedRun(store, key));
  if (unfinished !== undefined && !dryRun) {
    const [worker] = joins ? [] : await workersOf(store, unfinished.id);
    if (worker !== undefined) throw new PawlError("run.busy", busy(unfinished, worker));
    if (unfinished.state === "cancelling" && !joins) {
      // The process that was to end it has died.
      await finalizeRun(store, unfinished.id, null);
      givenUp = unfinished;
    } else if (options.restart) {
      await abandon(store, unfinished, "given up for a new run with --restart");
      givenUp = unfinished;
    } else {
      const difference = sourceDifference(unfinished, source, job.source);
      const elsewhere = await locationDifference(unfinished, job.sink);
      if ((difference ?? elsewhere) !== null && !joins && !(await isPlanned(store, unfinished))) {
        // Nothing was written yet: what stopped it, such as an unclosed quote, has been corrected since.
        await abandon(store, unfinished, "nothing was written before it stopped");
        givenUp = unfinished;
      }
      if (givenUp === null) {
        assertSameSource(unfinished, difference);
        assertSameLocations(unfinished, elsewhere, "resumed");
      }
    }
    if (givenUp !== null) unfinished = undefined;
  }
  const replayed = options.replayOf === undefined ? undefined : await store.run(options.replayOf);
  if (replayed !== undefined)
    assertSameLocations(replayed, await locationDifference(replayed, job.sink), "replayed");
  // A dry run must not use what an interrupted run keeps, nor remove it.
  const id = (dryRun ? null : unfinished?.id) ?? newRunId();
  const { runs = stateLocation().runs, signal = new AbortController().signal } = options;
  if (givenUp !== null) await clearAway(job, givenUp, { source, runs, signal });
  const { sink, folder } = await openSink(job, id, { source, runs, signal, dryRun });
  try {
    if (sink.guarantee === "none" && !job.atLeastOnce) {
      throw new PawlError(
        "sink.no-guarantee",
        `${[...sink.notes, "This sink can neither"].join(" ")} commit a checkpoint with its effect nor write a chunk twice without harm, so a crash would write rows again: say --at-least-once (atLeastOnce: true) to accept that.`,
      );
    }
    if (unfinished !== undefined && !dryRun) await assertSameTarget(store, unfinished, sink);
    const notes = [...source.notes, ...sink.notes];
    const transform =
      job.transform === undefined && job.transformText === undefined
        ? null
        : createHash("sha256")
            .update(job.transformText ?? String(job.transform))
            .digest("hex");
    const before =
      unfinished === undefined || dryRun ? transform : (detailsOf(unfinished).transform ?? transform);
    if (before !== transform && !joins)
      notes.push(
        "The transform has changed since the run began: what was written before is as the transform made it then; --restart does all of it again.",
      );
    const details: RunDetails = {
      source: source.name,
      unit: source.unit,
      dialect: source.dialect ?? null,
      ...(job.sink.identity === undefined || dryRun ? {} : { sinkIdentity: await job.sink.identity() }),
      ...(transform === null ? {} : { transform: transform }),
      notes,
      plan: null,
      activeMs: 0,
      peakMemoryBytes: 0,
    };
    if (dryRun)
      return {
        run: draft(id, key, reference, details),
        resumed: false,
        job,
        source,
        sink,
        store,
        folder,
        notes,
      };
    if (unfinished === undefined) {
      const replayOf = options.replayOf === undefined ? {} : { replayOf: options.replayOf };
      const made = await store.createRun({
        id,
        job: reference,
        key,
        identity: source.identity,
        details: details as unknown as Json,
        ...replayOf,
      });
      if (!made.created)
        throw new PawlError("run.busy", `The same work was begun just now as run ${made.run.id} elsewhere.`);
    } else if (!joins) {
      await reopen(store, unfinished);
    }
    const run = (await store.run(id)) as RunRecord;
    return {
      run,
      resumed: unfinished !== undefined && unfinished.state !== "pending",
      job,
      source,
      sink,
      store,
      folder,
      notes,
    };
  } catch (error) {
    await sink.close();
    throw error;
  }
}

/**
 * Refuses to continue in a target that does not know the shards that are done: another database under the same name, or one
 * that was restored from a backup. What the run has written would be missing in it.
 */
async function assertSameTarget(store: Store, run: RunRecord, sink: OpenSink<unknown>): Promise<void> {
  const finished = (await sink.finished?.()) ?? null;
  if (finished === null) return;
  const { shards } = await readProgress(store, run);
  const done = shards.filter(({ state, counts }) => state === "succeeded" && counts.read > 0);
  const missing = done.filter(({ number }) => !finished.has(number));
  if (missing.length === 0) return;
  throw new PawlError(
    "run.other-target",
    `Run ${run.id} has done ${done.length} of its ${shards.length} parts, and the target does not know of ${missing.length} of them: it is another database, or was set back ` +
      "to an earlier state; name the one that the run began with, or start over with --restart.",
  );
}

function busy(run: RunRecord, worker: string): string {
  return `The same work is already running as run ${run.id} (worker ${worker}): follow it with pawl attach ${run.id}, or stop it with pawl pause ${run.id}.`;
}

function draft(id: string, key: string, job: JobReference, details: RunDetails): RunRecord {
  const now = Date.now();
  return {
    id,
    job,
    key,
    identity: null,
    replayOf: null,
    state: "pending",
    note: null,
    details: details as unknown as Json,
    createdAt: now,
    updatedAt: now,
    finishedAt: null,
  };
}

async function unfinishedRun(store: Store, key: string): Promise<RunRecord | undefined> {
  const runs = await store.runs({ key });
  return runs.find((run) => UNFINISHED.includes(run.state));
}

async function isPlanned(store: Store, run: RunRecord): Promise<boolean> {
  return (await store.query({ flow: run.id })).some((task) => task.name === SHARD);
}

async function abandon(store: Store, run: RunRecord, note: string): Promise<void> {
  await store.updateRun(run.id, UNFINISHED, { state: "cancelled", note });
  await store.requestCancel({ flow: run.id });
}
