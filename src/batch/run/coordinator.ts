import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import { makeFolder } from "../../private-folder.ts";
import type { Json, NewTask, RunState, Store } from "../../store/contract.ts";
import { PermanentError, Snooze } from "../../tasks/index.ts";
import { type Definition, type InternalContext, internalTask } from "../../tasks/internal.ts";
import { orAborted } from "../../timers.ts";
import { isTransient } from "../../transient-errors.ts";
import type { OpenSink, Ordering, ShardPlan } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";
import { boundYoungGeneration } from "../job/memory.ts";
import { finalizeRun } from "./finalize.ts";
import {
  AT_REST,
  COORDINATOR,
  detailsOf,
  type RunDetails,
  type RunProgress,
  readProgress,
  SHARD,
} from "./progress.ts";

/** What a process needs to coordinate a run. */
export interface CoordinatorWork {
  readonly store: Store;
  readonly run: string;
  readonly queue: string;
  readonly job: AnyJob;
  readonly sink: OpenSink<unknown>;
  /** Shards to aim for; the source may cut fewer. */
  readonly shards: number;
  readonly memory: number;
  /** A folder for what planning spills. */
  readonly scratch: string;
  /** A folder for what the run keeps on this machine. */
  readonly folder: string;
  /** Aborts when the run is to stop. */
  readonly stop: AbortSignal;
  onProgress(progress: RunProgress): void;
  /** A sentence for the user that planning brought up. */
  onNote(note: string): void;
}

const POLL_MS = 200;
/** The pause between two polls is so many times as long as the poll took, up to this. */
const POLL_PAUSES = 15;
const LONGEST_POLL_MS = 2_000;
/** The pause while a run is coming to rest. */
const STOPPING_MS = 20;
const SAMPLE_MS = 1000;
const REPORT_MS = 500;

const ANY_STATE: readonly RunState[] = [
  "pending",
  "running",
  "pausing",
  "paused",
  "cancelling",
  "cancelled",
  "succeeded",
  "failed",
];

/**
 * The task that coordinates a run, of which one process at a time holds the lease: it cuts the shards, watches them,
 * keeps the history, and finalizes the run. Where its process is killed, another one claims it, as with any task.
 */
export function coordinatorTask(work: CoordinatorWork): Definition {
  return internalTask(COORDINATOR, async (_: null, context: InternalContext) => {
    const coordinator = new Coordinator(work, context);
    try {
      await work.store.updateRun(work.run, ["pending"], { state: "running" });
      await coordinator.plan();
      await coordinator.watch();
    } catch (error) {
      if (error instanceof LostError || error instanceof Snooze || context.signal.aborted) throw error;
      if (isTransient(error)) throw error;
      const note = errorText(error);
      await work.store.updateRun(work.run, ["pending", "running"], { state: "failed", note });
      if (!(error instanceof PawlError)) throw new PermanentError(note, { cause: error });
    } finally {
      await coordinator.keepFigures().catch(() => {});
    }
    const state = (await work.store.run(work.run))?.state;
    // A run that may be resumed needs its coordinator again: held, not settled.
    if (state !== "succeeded" && state !== "cancelled") throw new Snooze(null);
  });
}

class Coordinator {
  readonly #work: CoordinatorWork;
  readonly #context: InternalContext;
  readonly #activeBefore: number;
  readonly #began = performance.now();
  /** Aborts when this process should no longer coordinate, or the run is to stop. */
  readonly #either: AbortSignal;
  #reportedAt = 0;

  constructor(work: CoordinatorWork, context: InternalContext) {
    this.#work = work;
    this.#context = context;
    this.#either = AbortSignal.any([context.signal, work.stop]);
    this.#activeBefore = (context.record.progress as { activeMs?: number } | null)?.activeMs ?? 0;
  }

  /** Cuts the shards, once: shards that were stored before a crash are the plan. */
  async plan(): Promise<void> {
    const { store, run, job, sink } = this.#work;
    const record = await store.run(run);
    if (record === undefined) return;
    if ((await store.query({ flow: run })).some((task) => task.name === SHARD)) return;
    const ordering: Ordering =
      job.transform && sink.ordering.kind === "byKey" ? { kind: "total" } : sink.ordering;
    const scratch = join(this.#work.scratch, "plan");
    makeFolder(scratch);
    // Cutting may take long: a pause or a cancel must not wait for it.
    const { stop } = this.#work;
    const signal = this.#either;
    let cut: ShardPlan;
    try {
      const cutting = job.source.shards(this.#work.shards, ordering, {
        signal,
        scratch,
        folder: this.#work.folder,
        memory: Math.floor(this.#work.memory / 4),
        ...(this.#work.sink.kinds ? { kinds: this.#work.sink.kinds } : {}),
        onProgress: (done, total) => {
          // A source that keeps a plan of millions of items has as much pass through as the work that follows.
          boundYoungGeneration();
          void this.#report({ done, total }).catch(() => {});
        },
      });
      cut = await orAborted(cutting, signal);
    } catch (error) {
      if (stop.aborted) return;
      throw error;
    } finally {
      await rm(scratch, { recursive: true, force: true, maxRetries: 2 });
    }
    if ((await store.run(run))?.state !== "running") return;
    const { shards, notes } = cut;
    const plan = {
      shards: shards.length,
      items: total(shards.map((shard) => shard.items)),
      bytes: total(shards.map((shard) => shard.bytes)),
      duplicates: cut.duplicates,
    };
    // The figures first, then the shards in one atomic batch: once there are shards, the plan stands.
    await this.#amend({ plan, notes: [...detailsOf(record).notes, ...notes] });
    await store.enqueue(
      shards.map((shard, number) => ({
        id: `${run}/${number}`,
        queue: this.#work.queue,
        name: SHARD,
        flow: run,
        payload: { number, shard, distinct: cut.duplicates === 0 } as unknown as Json,
      })),
    );
    for (const note of notes) this.#work.onNote(note);
  }

  /** Follows the shards until the run comes to rest. */
  async watch(): Promise<void> {
    const { store, run } = this.#work;
    let sampledAt = 0;
    for (;;) {
      this.#context.signal.throwIfAborted();
      const polledAt = performance.now();
      const record = await finalizeRun(store, run, this.#work);
      if (record === undefined) throw new PawlError("run.unknown", `Run ${run} is no longer in the store.`);
      const progress = await readProgress(store, record);
      this.#work.onProgress(progress);
      const atRest = AT_REST.has(record.state) && !progress.shards.some((shard) => shard.state === "leased");
      if (atRest || performance.now() - sampledAt > SAMPLE_MS) {
        sampledAt = performance.now();
        await store.addSample(run, { ...progress.counts, activeMs: this.#activeMs() } as unknown as Json);
      }
      if (atRest) return;
      await this.#report(null);
      await this.#wait(performance.now() - polledAt);
    }
  }

  /** Waits for the next poll, which comes soon once the run is to stop. */
  async #wait(pollMs: number): Promise<void> {
    if (this.#either.aborted) return void (await sleep(STOPPING_MS));
    // A poll reads all shards: with thousands of them, polling must not take the time in which they are worked on.
    const ms = Math.max(pollAfterMs(this.#began, POLL_MS), Math.min(pollMs * POLL_PAUSES, LONGEST_POLL_MS));
    await sleep(ms, undefined, { signal: this.#either }).catch(() => {});
  }

  /** Keeps the time worked and the memory used with the run. */
  async keepFigures(): Promise<void> {
    await this.#amend({ activeMs: this.#activeMs(), peakMemoryBytes: await this.#peak() });
  }

  async #report(planning: { done: number; total: number } | null): Promise<void> {
    if (performance.now() - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = performance.now();
    const figures = { activeMs: this.#activeMs(), peakMemoryBytes: ownPeak() };
    await this.#context.saveProgress({ ...figures, ...planning });
    if (planning) {
      const record = await this.#work.store.run(this.#work.run);
      if (record) this.#work.onProgress(await readProgress(this.#work.store, record));
    }
  }

  async #amend(changes: Partial<RunDetails>): Promise<void> {
    const { store, run } = this.#work;
    const record = await store.run(run);
    if (record === undefined) return;
    const details = { ...detailsOf(record), ...changes } as unknown as Json;
    await store.updateRun(run, ANY_STATE, { details });
  }

  async #peak(): Promise<number> {
    const record = await this.#work.store.run(this.#work.run);
    return Math.max(record ? detailsOf(record).peakMemoryBytes : 0, ownPeak());
  }

  #activeMs(): number {
    return Math.round(this.#activeBefore + performance.now() - this.#began);
  }
}

/** The most memory this process has used, in bytes; its threads included. */
function ownPeak(): number {
  return process.resourceUsage().maxRSS * 1024;
}

function total(parts: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const part of parts) {
    if (part === null) return null;
    sum += part;
  }
  return sum;
}

/** The task by which one process at a time coordinates the run. */
export function newCoordinatorTask(run: string, queue: string): NewTask {
  return { id: `${run}/coordinator`, queue, name: COORDINATOR, flow: run, payload: null, priority: 1 };
}

const LEAST_MS = 10;
const SHARE = 0.05;

/**
 * How long to wait before a run that began at `began` is polled again: a share of the time it has taken so far, so that a
 * short run does not end with a long wait, and a long run is not polled too often.
 */
export function pollAfterMs(began: number, most: number): number {
  return Math.min(most, Math.max(LEAST_MS, (performance.now() - began) * SHARE));
}
