import { createHash, randomBytes } from "node:crypto";
import { PawlError } from "../../errors.ts";
import type { JobReference, Json, RunRecord, Store } from "../../store/contract.ts";
import { stateLocation } from "../../store/internal.ts";
import type { Description, OpenSink } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";
import { maxQuarantinedOf } from "../job/max-quarantined.ts";
import { memoryOf } from "../job/memory.ts";
import { assertResumable, reopen } from "./control.ts";
import { assertSameLocations, locationDifference } from "./difference.ts";
import { clearAway, openSink } from "./open-sink.ts";
import { detailsOf, type RunDetails } from "./progress.ts";
import { assertSameTarget, jobKey, resumeOrGiveUp, unfinishedRun } from "./resume.ts";

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
 * Checks both ends of a job and stores its run, or finds the unfinished run of the same work (resume.ts says which that is) and makes it
 * ready to be resumed. Refuses, with one sentence, a source that has changed and work that another process is doing.
 */
export async function prepare(job: AnyJob, options: PrepareOptions): Promise<PreparedRun> {
  const { store, dryRun = false, restart = false, takesPart = false } = options;
  if (options.run) assertResumable(options.run);
  // Both throw for an option that is not right.
  memoryOf(job);
  maxQuarantinedOf(job);
  const reference = options.reference ?? { name: job.name, module: null, params: null };
  const source = await job.source.describe();
  const key = options.run?.key ?? jobKey(job, reference.params);
  const earlier = options.run ?? (await unfinishedRun(store, key));
  const { resumed, givenUp } =
    earlier === undefined || dryRun
      ? { resumed: earlier }
      : await resumeOrGiveUp(earlier, { job, source, store, restart, takesPart });
  const replayed = options.replayOf === undefined ? undefined : await store.run(options.replayOf);
  if (replayed !== undefined)
    assertSameLocations(replayed, await locationDifference(replayed, job.sink), "replayed");
  // A dry run must not use what an interrupted run keeps, nor remove it.
  const id = (dryRun ? null : resumed?.id) ?? newRunId();
  const { runs = stateLocation().runs, signal = new AbortController().signal } = options;
  if (givenUp !== undefined) await clearAway(job, givenUp, { source, runs, signal });
  const { sink, folder } = await openSink(job, id, { source, runs, signal, dryRun });
  try {
    if (sink.guarantee === "none" && !job.atLeastOnce) {
      throw new PawlError(
        "sink.no-guarantee",
        `${[...sink.notes, "This sink can neither"].join(" ")} commit a checkpoint with its effect nor write a chunk twice without harm, so a crash would write rows again: say \`atLeastOnce: true\` to accept that.`,
      );
    }
    if (resumed !== undefined && !dryRun) await assertSameTarget(store, resumed, sink);
    const notes = [...source.notes, ...sink.notes];
    const transform =
      job.transform === undefined && job.transformText === undefined
        ? null
        : createHash("sha256")
            .update(job.transformText ?? String(job.transform))
            .digest("hex");
    const before = resumed === undefined || dryRun ? transform : (detailsOf(resumed).transform ?? transform);
    if (before !== transform && !takesPart)
      notes.push(
        "The transform has changed since the run began: what was written before is as the transform made it then; `restart: true` does all of it again.",
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
    if (resumed === undefined) {
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
    } else if (!takesPart) {
      await reopen(store, resumed);
    }
    const run = (await store.run(id)) as RunRecord;
    return {
      run,
      resumed: resumed !== undefined && resumed.state !== "pending",
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

const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

/** A new run's id: ten characters that are easy to read and to type. */
function newRunId(): string {
  return Array.from(randomBytes(10), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
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
