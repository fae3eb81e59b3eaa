import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { milliseconds } from "../../durations.ts";
import { errorText, isOf } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { Snooze } from "../../tasks/index.ts";
import { POISON_AFTER, Worker } from "../../tasks/internal.ts";
import { maxQuarantinedOf } from "../job/max-quarantined.ts";
import { memoryOf, shardsOf } from "../job/memory.ts";
import { ChunkSizer, sizeBounds } from "../shard/chunk-sizer.ts";
import { shardTask } from "../shard/shard.ts";
import { Transform } from "../transform/transform.ts";
import { TransformWorkers } from "../transform/transform-workers.ts";
import { queueOf } from "./control.ts";
import { coordinatorTask, newCoordinatorTask, pollAfterMs } from "./coordinator.ts";
import { finalizeRun } from "./finalize.ts";
import { Interrupt } from "./interrupt.ts";
import type { PreparedRun } from "./prepare.ts";
import { AT_REST, type RunProgress, readProgress } from "./progress.ts";

/** Shards in the plan for each shard that a process works on at once: with several, the last ones end at about the same time. */
const SHARDS_PER_SLOT = 4;

export interface ExecuteOptions {
  /** A folder for large intermediate files. */
  readonly scratch: string;
  /** How long a claim is good for, in milliseconds; default 15,000. */
  readonly leaseMs?: number;
  /** In place of the job's. */
  readonly patienceMs?: number;
  readonly onProgress?: (progress: RunProgress) => void;
  readonly onNote?: (note: string) => void;
  /** Aborting pauses the run at its next checkpoints. */
  readonly signal?: AbortSignal;
  /** Aborting takes this process out of the run: it gives its leases back, and other processes continue. */
  readonly leave?: AbortSignal;
}

/** Works on a prepared run until the run ends or this process leaves it, and returns its progress then. Closes the sink. */
export async function execute(prepared: PreparedRun, options: ExecuteOptions): Promise<RunProgress> {
  const { run, job, sink, store, source } = prepared;
  const queue = queueOf(run.id);
  const shards = shardsOf(job);
  const memory = memoryOf(job);
  let latest: RunProgress | undefined;
  const patienceMs = options.patienceMs ?? milliseconds(job.patience ?? "90s", `Job ${job.name}: patience`);
  const tell = (note: string) => options.onNote?.(note);
  const transformWorkers = job.transform
    ? new TransformWorkers(job.transform, memory.transformThreads, tell)
    : null;
  const transform =
    job.transform && transformWorkers
      ? new Transform({
          transform: job.transform.bind(job),
          concurrency: job.concurrency,
          workers: transformWorkers,
          patienceMs,
          tell,
        })
      : null;
  // Aborts as soon as this process sees that the run is to stop, whichever process asked for it.
  const stop = new AbortController();
  let interruption: Interrupt | undefined;
  const worker = new Worker({
    store,
    queues: [queue],
    concurrency: shards + 1,
    ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
    poisonAfter: POISON_AFTER,
    tasks: [
      coordinatorTask({
        store,
        run: run.id,
        queue,
        job,
        sink,
        // A replay's items are told apart by their place in its one shard.
        shards: run.replayOf === null ? shards * SHARDS_PER_SLOT : 1,
        memory: memory.inFlight,
        scratch: join(options.scratch, run.id),
        folder: prepared.folder,
        stop: stop.signal,
        onProgress: (progress) => {
          latest = progress;
          options.onProgress?.(progress);
        },
        onNote: (note) => options.onNote?.(note),
      }),
      shardTask({
        store,
        run: run.id,
        job,
        sink,
        unit: source.unit,
        sizer: new ChunkSizer(sizeBounds(job, sink, memory.chunk, transform?.firstItems ?? null)),
        transform,
        maxQuarantined: maxQuarantinedOf(job),
        total: () => latest?.items ?? null,
        patienceMs,
        stop: stop.signal,
      }),
    ],
    onError: (error) => {
      options.onNote?.(`trouble: ${errorText(error)}`);
      interruption?.storeFailed(error);
    },
  });
  // Otherwise each of thousands of shards would be claimed only to be given back, and the run would seem to be at work.
  stop.signal.addEventListener("abort", () => worker.claimNothing(), { once: true });
  const interrupt = () => {
    interruption = new Interrupt(store, run);
  };
  options.signal?.addEventListener("abort", interrupt, { once: true });
  try {
    await store.enqueue([newCoordinatorTask(run.id, queue)]);
    worker.start();
    if (options.signal?.aborted) interrupt();
    return await atRest(prepared, worker.id, stop, options.leave, () => interruption?.assertStored());
  } catch (error) {
    // The store is gone, or cannot be written: a shard would only wait for it.
    if (isOf(error, PawlError) && (error.code === "store.gone" || error.code === "run.interrupted")) {
      stop.abort(new Snooze(null));
      worker.abandonStore();
    }
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", interrupt);
    await worker.stop(options.leave?.aborted ? { drainMs: 0 } : {});
    await transformWorkers?.close();
    await sink.close();
  }
}

const POLL_MS = 50;

/**
 * Waits until the run has ended and this worker holds no lease of it (another process may have ended the run), or until this
 * process is to leave. Aborts `stop` when the run is to stop.
 */
async function atRest(
  { store, run: { id }, sink, job }: PreparedRun,
  worker: string,
  stop: AbortController,
  leave: AbortSignal | undefined,
  assertStored: () => void,
): Promise<RunProgress> {
  const began = performance.now();
  for (;;) {
    assertStored();
    // Asked before the state is read: a process that changes the state later finds no lease here, and finalizes the run itself.
    const leased = stop.signal.aborted ? await store.query({ flow: id, states: ["leased"] }) : null;
    const run = await store.run(id);
    if (run === undefined) throw new PawlError("run.unknown", `Run ${id} is no longer in ${store.location}.`);
    if (leave?.aborted) return await readProgress(store, run);
    if (run.state !== "pending" && run.state !== "running") {
      stop.abort(new Snooze(null));
      if (leased === null) continue;
      if (AT_REST.has(run.state)) {
        if (!leased.some((task) => task.worker === worker)) return await readProgress(store, run);
      } else if (leased.length === 0) {
        // The coordinator has ended for a state that has changed since, as when a run is cancelled while it is pausing.
        await finalizeRun(store, id, { sink, job });
        continue;
      }
    }
    await sleep(pollAfterMs(began, POLL_MS));
  }
}
