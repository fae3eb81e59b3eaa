import type { Json, RunRecord, RunState, Store, TaskRecord } from "../../store/contract.ts";
import type { Checkpoint, Counts, Description, Shard } from "../contract.ts";

/** The payload of a shard's task. */
export interface ShardPayload {
  readonly number: number;
  readonly shard: Shard;
  /** The plan has shown that no two items of the run have the same key. */
  readonly distinct?: boolean;
}

/** What is kept with a run beside its state. */
export interface RunDetails {
  readonly source: string;
  readonly unit: string;
  /** How raw items are put back into a file, where they are lines of one. */
  readonly dialect: Description["dialect"] | null;
  /** The identity of the sink when the run began; absent where it has none. */
  readonly sinkIdentity?: Json;
  /** A checksum of the transform that the run began with; absent where it has none. */
  readonly transform?: string;
  /** Sentences shown when the run began. */
  readonly notes: readonly string[];
  /** How many rows the run deleted in the end that no item named; absent where it was not to. */
  readonly deleted?: number;
  /** Set once the shards are cut. */
  readonly plan: RunPlan | null;
  /** Milliseconds of work by processes that ended in order, and the highest memory any of them reported. */
  readonly activeMs: number;
  readonly peakMemoryBytes: number;
}

export interface RunPlan {
  readonly shards: number;
  /** Items in all, when known. */
  readonly items: number | null;
  readonly bytes: number | null;
  /** Items whose key comes again, when the source counted them. */
  readonly duplicates: number | null;
}

/** How far one shard of a run is. */
export interface ShardProgress {
  /** From 0, in the order of the source. */
  readonly number: number;
  /** Of its task. */
  readonly state: TaskRecord["state"];
  /** Items in all, when known; where they come and go, as well as it is known now. */
  readonly items: number | null;
  /** What became of its items so far. */
  readonly counts: Counts;
  /** The worker that holds its lease; null where none does. */
  readonly worker: string | null;
  /** Why its latest attempt failed. */
  readonly error: string | null;
}

/** Where a run stands, read from the store by any process. */
export interface RunProgress {
  /** The id of the run. */
  readonly run: string;
  /** The name of the job. */
  readonly job: string;
  /** Its state in the store, such as `running` or `paused`. */
  readonly state: RunState;
  /** Why it is in this state: an error, what it waits for, what paused it; null when there is nothing to say. */
  readonly note: string | null;
  /** As `Description.name`. */
  readonly source: string;
  /** As `Description.unit`. */
  readonly unit: string;
  /** What became of the items of all shards so far. */
  readonly counts: Counts;
  /** Items in all, or about as many where they come and go; null when only reading to the end will tell. */
  readonly items: number | null;
  /** Source bytes in all, when known. */
  readonly bytes: number | null;
  /** Source bytes read while the shards are being cut; null before and after. */
  readonly planning: { readonly done: number; readonly total: number } | null;
  /** Its shards, in the order of the source; empty until they are cut. */
  readonly shards: readonly ShardProgress[];
  /** Sentences that were shown when the run began. */
  readonly notes: readonly string[];
  /** Rows that the run deleted in the end because no item named them; left out if the job does not delete. */
  readonly deleted?: number;
  /** Milliseconds of work, over all processes that worked on it; the time between them does not count. */
  readonly activeMs: number;
  /** The most memory that one process used, in bytes, its threads included. */
  readonly peakMemoryBytes: number;
}

/** States in which no shard of a run is worked on. */
export const AT_REST: ReadonlySet<RunState> = new Set(["paused", "cancelled", "succeeded", "failed"]);

export const COORDINATOR = "batch.coordinator";
export const SHARD = "batch.shard";

export function detailsOf(run: RunRecord): RunDetails {
  return run.details as unknown as RunDetails;
}

/** The latest checkpoint that is stored with a shard's task. */
export function checkpointOf(task: TaskRecord): Checkpoint | null {
  const value = (task.state === "succeeded" ? task.result : task.progress) as unknown as {
    checkpoint?: Checkpoint;
  } | null;
  return value?.checkpoint ?? null;
}

/** How many items a shard has: its estimate until it is done or has read more. */
function expected(shard: Shard, read: number, done: boolean): number | null {
  if (shard.items !== null || shard.estimate === undefined) return shard.items;
  return done ? read : Math.max(read, shard.estimate);
}

function expectedInAll(shards: readonly { readonly items: number | null }[]): number | null {
  let sum = 0;
  for (const { items } of shards) {
    if (items === null) return null;
    sum += items;
  }
  return shards.length === 0 ? null : sum;
}

/** Reads where a run stands. */
export async function readProgress(store: Store, run: RunRecord): Promise<RunProgress> {
  const tasks = await store.query({ flow: run.id });
  const details = detailsOf(run);
  const shards = tasks
    .filter((task) => task.name === SHARD)
    .map((task) => {
      // Null where another program has damaged it: the task is a dead letter then, with an error that says so.
      const payload = task.payload as unknown as ShardPayload | null;
      const counts = checkpointOf(task)?.counts ?? NO_COUNTS;
      return {
        number: payload?.number ?? Number(task.id.slice(run.id.length + 1)),
        state: task.state,
        items: payload === null ? null : expected(payload.shard, counts.read, task.state === "succeeded"),
        counts,
        worker: task.state === "leased" ? task.worker : null,
        error: task.error,
      };
    })
    .sort((a, b) => a.number - b.number);
  const coordinator = tasks.find((task) => task.name === COORDINATOR);
  const planning = details.plan
    ? null
    : ((coordinator?.progress ?? null) as { done: number; total: number } | null);
  const counts = sumCounts(shards.map((shard) => shard.counts));
  const live = (coordinator?.progress ?? null) as { activeMs?: number; peakMemoryBytes?: number } | null;
  return {
    run: run.id,
    job: run.job.name,
    state: run.state,
    note: run.note,
    source: details.source,
    unit: details.unit,
    counts: { ...counts, duplicates: details.plan?.duplicates ?? counts.duplicates },
    items: details.plan === null ? null : (details.plan.items ?? expectedInAll(shards)),
    bytes: details.plan?.bytes ?? null,
    planning,
    shards,
    notes: details.notes,
    ...(details.deleted === undefined ? {} : { deleted: details.deleted }),
    activeMs: Math.max(details.activeMs, live?.activeMs ?? 0),
    peakMemoryBytes: Math.max(details.peakMemoryBytes, live?.peakMemoryBytes ?? 0),
  };
}

/** What became of a run's items. `read + added = written + unchanged + skipped + quarantined`, always. */
export interface RunSummary {
  /** The id of the run. */
  readonly run: string;
  /** Its state in the store; one at rest once the run has ended. */
  readonly state: RunState;
  /** Items taken from the source. */
  readonly read: number;
  /** Items inserted or changed in the target. */
  readonly written: number;
  /** Items that the target already had as they should be. */
  readonly unchanged: number;
  /** Items dropped on purpose. See `Counts`. */
  readonly skipped: number;
  /** Items put aside with their reason. See `failureReasons`. */
  readonly quarantined: number;
  /** Items whose key came again later in the source. */
  readonly duplicates: number;
  /** Seconds of work, over all processes that worked on it. */
  readonly seconds: number;
  /** The most memory that one process used, in bytes, its threads included. */
  readonly peakMemoryBytes: number;
  /** Results a transform returned beyond one for one; left out when there are none. */
  readonly added?: number;
  /** Rows that the run deleted in the end because no item named them; left out if the job does not delete. */
  readonly deleted?: number;
  /** Why it is in this state; left out when there is nothing to say. */
  readonly note?: string;
}

export function summaryOf(progress: RunProgress): RunSummary {
  const { counts } = progress;
  return {
    run: progress.run,
    state: progress.state,
    read: counts.read,
    written: counts.written,
    unchanged: counts.unchanged,
    skipped: counts.skipped,
    quarantined: counts.quarantined,
    duplicates: counts.duplicates,
    seconds: Math.round(progress.activeMs) / 1000,
    peakMemoryBytes: progress.peakMemoryBytes,
    ...(counts.added > 0 ? { added: counts.added } : {}),
    ...(progress.deleted === undefined ? {} : { deleted: progress.deleted }),
    ...(progress.note === null ? {} : { note: progress.note }),
  };
}

const NO_COUNTS: Counts = {
  read: 0,
  added: 0,
  written: 0,
  unchanged: 0,
  skipped: 0,
  quarantined: 0,
  duplicates: 0,
  bytes: 0,
};

/** Where a shard stands before its first chunk. */
export const START: Checkpoint = { cursor: null, counts: NO_COUNTS, done: false };

function addCounts(a: Counts, b: Counts): Counts {
  return {
    read: a.read + b.read,
    added: a.added + b.added,
    written: a.written + b.written,
    unchanged: a.unchanged + b.unchanged,
    skipped: a.skipped + b.skipped,
    quarantined: a.quarantined + b.quarantined,
    duplicates: a.duplicates + b.duplicates,
    bytes: a.bytes + b.bytes,
  };
}

export function sumCounts(all: Iterable<Counts>): Counts {
  let sum = NO_COUNTS;
  for (const counts of all) sum = addCounts(sum, counts);
  return sum;
}
