import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PawlError } from "../errors.ts";
import type { JobReference, Json, RunRecord, Store } from "../store/contract.ts";
import { Worker } from "../tasks/index.ts";
import type { Description, OpenSink } from "./contract.ts";
import { POISON_AFTER, pause, queueOf, reopen, UNFINISHED, workersOf } from "./control.ts";
import { assertSameSource, newRunId } from "./identity.ts";
import { type AnyJob, jobKey } from "./job.ts";
import { leadHandler, leadTask } from "./lead.ts";
import { parseMaxBad } from "./max-bad.ts";
import { AT_REST, LEAD, type RunDetails, type RunProgress, readProgress, SHARD } from "./progress.ts";
import { shardHandler } from "./shard.ts";
import { stepped } from "./stepping.ts";

const MB = 1024 * 1024;
export const DEFAULT_MEMORY = 256 * MB;
const LEAST_MEMORY = 128 * MB;
/** What Node, its thread for leases and the drivers take before the first byte of data. */
const BASE_MEMORY = 112 * MB;
/** Shards a process aims for, for each it works on at once, so that the last ones end together. */
const SHARDS_PER_SLOT = 4;
const SAMPLE_ITEMS = 10_000;

export interface PrepareOptions {
  readonly store: Store;
  /** How another process finds the job; without it the run can only be resumed from the same code. */
  readonly reference?: JobReference;
  /** Give up an unfinished run of the same work and begin anew. */
  readonly restart?: boolean;
  /** Look, but change nothing: neither in the store nor in the target. */
  readonly dryRun?: boolean;
  /** Continue just this run. */
  readonly run?: RunRecord;
  readonly replayOf?: string;
  readonly signal?: AbortSignal;
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
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/**
 * Checks both ends of a job and stores its run, or finds the unfinished run of the same work and makes it ready to
 * be resumed. Refuses, with one sentence, a source that has changed and work that another process is doing.
 */
export async function prepare(job: AnyJob, options: PrepareOptions): Promise<PreparedRun> {
  const { store, dryRun = false } = options;
  const memory = memoryOf(job);
  parseMaxBad(job.maxBad ?? 1000);
  const reference = options.reference ?? { name: job.name, module: null, params: null };
  const source = await job.source.describe();
  const key = options.run?.key ?? jobKey(job, reference.params);
  let unfinished = options.run ?? (await unfinishedRun(store, key));
  if (unfinished !== undefined && !dryRun) {
    const [worker] = await workersOf(store, unfinished.id);
    if (worker !== undefined) throw new PawlError("run.busy", busy(unfinished, worker));
    if (options.restart) {
      await abandon(store, unfinished);
      unfinished = undefined;
    } else {
      assertSameSource(unfinished, source.identity, source.name);
    }
  }
  const id = unfinished?.id ?? newRunId();
  const sink = await job.sink.open({
    run: id,
    source,
    stepped: job.step !== undefined,
    dryRun,
    memory: memory - BASE_MEMORY,
    signal: options.signal ?? new AbortController().signal,
    sample: () => sampleOf(job),
  });
  try {
    if (sink.guarantee === "none" && !job.atLeastOnce) {
      throw new PawlError(
        "sink.no-guarantee",
        `This sink can neither commit a checkpoint with its effect nor write a chunk twice without harm, so a crash would write rows again: say --at-least-once (atLeastOnce: true) to accept that.`,
      );
    }
    const notes = [...source.notes, ...sink.notes];
    const details: RunDetails = {
      source: source.name,
      unit: source.unit,
      dialect: source.dialect ?? null,
      notes,
      plan: null,
      activeMs: 0,
      peakMemoryBytes: 0,
    };
    if (dryRun)
      return { run: draft(id, key, reference, details), resumed: false, job, source, sink, store, notes };
    if (unfinished === undefined) {
      const replayOf = options.replayOf === undefined ? {} : { replayOf: options.replayOf };
      const made = await store.createRun({ id, job: reference, key, identity: source.identity, ...replayOf });
      if (!made.created)
        throw new PawlError("run.busy", `The same work was begun just now as run ${made.run.id} elsewhere.`);
      await store.updateRun(id, ["pending"], { details: details as unknown as Json });
    } else {
      await reopen(store, unfinished);
    }
    const run = (await store.run(id)) as RunRecord;
    return { run, resumed: unfinished !== undefined, job, source, sink, store, notes };
  } catch (error) {
    await sink.close();
    throw error;
  }
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

async function abandon(store: Store, run: RunRecord): Promise<void> {
  await store.updateRun(run.id, UNFINISHED, {
    state: "cancelled",
    note: "given up for a new run with --restart",
  });
  await store.requestCancel({ group: run.id });
}

/** The first items as they reach the sink. */
async function sampleOf(job: AnyJob): Promise<readonly unknown[]> {
  const items = await job.source.sample(SAMPLE_ITEMS);
  if (!job.step) return items;
  const chunk = {
    items: items.length,
    bytes: 0,
    end: null,
    slices: async function* () {
      yield items;
    },
    origin: async () => ({ raw: new Uint8Array(), at: "the sample" }),
  };
  const { output } = await stepped(chunk, job.step.bind(job), { signal: new AbortController().signal });
  const results: unknown[] = [];
  for await (const slice of output.slices()) results.push(...slice);
  return results;
}

function memoryOf(job: AnyJob): number {
  const memory = job.memory ?? DEFAULT_MEMORY;
  if (memory < LEAST_MEMORY) {
    throw new PawlError(
      "job.memory",
      `A memory budget of ${Math.floor(memory / MB)} MB is too small: at least ${LEAST_MEMORY / MB}MB are needed.`,
    );
  }
  return memory;
}

export interface ExecuteOptions {
  /** A folder for large intermediate files. */
  readonly scratch: string;
  /** How long a claim is good for, in milliseconds; default 15,000. */
  readonly leaseMs?: number;
  /** How long a shard keeps trying while nothing succeeds, in milliseconds; default 90,000. */
  readonly patienceMs?: number;
  readonly onProgress?: (progress: RunProgress) => void;
  readonly onNote?: (note: string) => void;
  /** Aborting pauses the run at its next checkpoints. */
  readonly signal?: AbortSignal;
}

/** Works on a prepared run until it comes to rest, and tells how it stands then. Closes the sink. */
export async function execute(prepared: PreparedRun, options: ExecuteOptions): Promise<RunProgress> {
  const { run, job, sink, store, source } = prepared;
  const queue = queueOf(run.id);
  const concurrency = job.concurrency ?? Math.min(4, availableParallelism());
  const memory = memoryOf(job);
  const inFlight = memory - BASE_MEMORY;
  // A row that became an object weighs several times its bytes; bytes that pass through weigh nothing.
  const weight = job.step ? 12 : 2;
  const maxBytes = Math.max(64 * 1024, Math.min(8 * MB, Math.floor(inFlight / (concurrency * 2 * weight))));
  let latest: RunProgress | undefined;
  const worker = new Worker({
    store,
    queues: [queue],
    concurrency: concurrency + 1,
    ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
    poisonAfter: POISON_AFTER,
    handlers: {
      [LEAD]: leadHandler({
        store,
        run: run.id,
        queue,
        job,
        sink,
        // A replay's items are told apart by their place in its one shard.
        shards: run.replayOf === null ? concurrency * SHARDS_PER_SLOT : 1,
        memory: inFlight,
        scratch: join(options.scratch, run.id),
        onProgress: (progress) => {
          latest = progress;
          options.onProgress?.(progress);
        },
        onNote: (note) => options.onNote?.(note),
      }),
      [SHARD]: shardHandler({
        store,
        run: run.id,
        job,
        sink,
        unit: source.unit,
        pace: {
          minBytes: job.chunkBytes?.min ?? 64 * 1024,
          maxBytes: Math.min(maxBytes, job.chunkBytes?.max ?? maxBytes),
          targetMs: job.commitMs ?? 250,
        },
        prefetchBytes: maxBytes,
        maxBad: parseMaxBad(job.maxBad ?? 1000),
        total: () => latest?.items ?? null,
        patienceMs: options.patienceMs ?? 90_000,
      }),
    },
    onError: (error) =>
      options.onNote?.(`trouble: ${error instanceof Error ? error.message : String(error)}`),
  });
  const stop = () => void pause(store, run, "interrupted").catch(() => {});
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    await store.enqueue([leadTask(run.id, queue, LEAD)]);
    worker.start();
    if (options.signal?.aborted) stop();
    return await atRest(store, run.id, worker.id);
  } finally {
    options.signal?.removeEventListener("abort", stop);
    await worker.stop();
    await sink.close();
  }
}

const LOOK_MS = 50;

/** Waits until the run rests and this worker holds nothing of it; another process may have done the last of it. */
async function atRest(store: Store, id: string, worker: string): Promise<RunProgress> {
  for (;;) {
    const run = await store.run(id);
    if (run === undefined) throw new PawlError("run.unknown", `Run ${id} is no longer in ${store.location}.`);
    if (AT_REST.has(run.state)) {
      const held = await store.query({ group: id, states: ["leased"] });
      if (!held.some((task) => task.worker === worker)) return await readProgress(store, run);
    }
    await sleep(LOOK_MS);
  }
}
