import { errorText } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import { retry } from "../../retry.ts";
import type { Json, Lease, QuarantinedItem, RunStore, Store } from "../../store/contract.ts";
import { toJson } from "../../store/internal.ts";
import { PermanentError, Snooze } from "../../tasks/index.ts";
import { type Definition, type InternalContext, internalTask } from "../../tasks/internal.ts";
import { orAborted, withTimeout } from "../../timers.ts";
import { isTransient } from "../../transient-errors.ts";
import { assertAccounted, assertOutcome, assertShardComplete } from "../accounting.ts";
import type { Checkpoint, Chunk, Failure, OpenSink, Shard, WriteOutcome, Writer } from "../contract.ts";
import type { AnyJob } from "../job/job.ts";
import { type MaxQuarantined, tooManyQuarantined } from "../job/max-quarantined.ts";
import { boundYoungGeneration } from "../job/memory.ts";
import { waitForThrottles } from "../job/throttle.ts";
import { SHARD, type ShardPayload, START } from "../run/progress.ts";
import { type PreparedChunk, untransformed } from "../transform/prepared-chunk.ts";
import { TRY_AGAIN, type Transform } from "../transform/transform.ts";
import type { ChunkSizer } from "./chunk-sizer.ts";

/** What a process needs to work on the shards of one run. */
export interface ShardWork {
  readonly store: Store;
  readonly run: string;
  readonly job: AnyJob;
  readonly sink: OpenSink<unknown>;
  readonly unit: string;
  /** Shared by the shards: what one has measured holds for the others. */
  readonly sizer: ChunkSizer;
  /** The job's transform, as this process runs it; null without one. */
  readonly transform: Transform | null;
  readonly maxQuarantined: MaxQuarantined;
  /** The run's total, once planned. */
  total(): number | null;
  /** How long a shard keeps trying while nothing succeeds, in milliseconds. */
  readonly patienceMs: number;
  /** Aborts, with a Snooze, when the run is to stop. */
  readonly stop: AbortSignal;
}

/** How often a shard tells the store how far it is, where the target holds the truth. */
const REPORT_MS = 250;
/** How long transforms that are under way when the run is to stop may take, so that they need not be called again. */
const GRACE_MS = 400;
/** How long a source may take to end when it was told to. */
const CLOSE_MS = 200;
/** The note of the run changes at most this often. */
const TELL_MS = 1_000;

/** A chunk that is ready, and how long reading it and its transform took. */
interface ReadyChunk {
  readonly bytes: number;
  readonly prepared: PreparedChunk;
  readonly ms: number;
}

/** The task of a shard: works through its chunks until it is done, and tries again after errors that may pass. */
export function shardTask(work: ShardWork): Definition {
  return internalTask(SHARD, async (payload: ShardPayload, context: InternalContext) => {
    const either = AbortSignal.any([context.signal, work.stop]);
    const attempt = new ShardAttempt(work, payload, context, either);
    const isOver = (error: unknown) =>
      error instanceof LostError || error instanceof Snooze || context.signal.aborted;
    const workAndReport = async () => {
      try {
        return await attempt.work();
      } catch (error) {
        await attempt.report(error);
        if (!isOver(error)) work.stop.throwIfAborted();
        throw error;
      }
    };
    try {
      const checkpoint = await retry(workAndReport, {
        ...TRY_AGAIN,
        isTransient: (error) => !isOver(error) && !(error instanceof PermanentError) && isTransient(error),
        patienceMs: work.patienceMs,
        progress: () => attempt.committed,
        onRetry: (error) => attempt.trouble(error),
        signal: either,
      });
      return { checkpoint } as unknown as Json;
    } catch (error) {
      throw isOver(error) ? error : permanent(error);
    }
  });
}

function permanent(error: unknown): Error {
  return error instanceof PermanentError ? error : new PermanentError(errorText(error), { cause: error });
}

class ShardAttempt {
  /** Chunks committed by this process, to tell whether anything moves. */
  committed = 0;
  readonly #work: ShardWork;
  readonly #context: InternalContext;
  /** Aborts when this process should no longer work on the shard, or the run is to stop. */
  readonly #either: AbortSignal;
  readonly #number: number;
  readonly #shard: Shard;
  readonly #distinct: boolean;
  #latest: Checkpoint;
  #reported: Checkpoint | null = null;
  #reportedAt = 0;
  /** When the run's note last told of an error that is tried again; null if it tells of none. */
  #toldAt: number | null = Number.NEGATIVE_INFINITY;

  constructor(work: ShardWork, payload: ShardPayload, context: InternalContext, either: AbortSignal) {
    const { progress } = context.record;
    this.#work = work;
    this.#context = context;
    this.#either = either;
    this.#number = payload.number;
    this.#shard = payload.shard;
    this.#distinct = payload.distinct ?? false;
    this.#latest = (progress as unknown as { checkpoint: Checkpoint } | null)?.checkpoint ?? START;
  }

  async work(): Promise<Checkpoint> {
    const { store, run, sink } = this.#work;
    // This process may not have seen yet that the run is to stop.
    if ((await store.run(run))?.state !== "running") throw new Snooze(null);
    await this.#throttled();
    const opening = sink.writer(this.#number, this.#context.lease.fence, this.#distinct);
    const writer = await orAborted(opening, this.#either).catch((error) => {
      void opening.then((late) => late.close()).catch(() => {});
      throw error;
    });
    try {
      this.#latest = writer.checkpoint ?? (sink.guarantee === "transactional" ? START : this.#latest);
      assertAccounted(this.#latest.counts, this.#name);
      // Items that an attempt quarantined before a commit that failed are in no checkpoint's counts: they are removed.
      await store.quarantine(run, this.#number, this.#latest.counts.read, [], this.#context.lease);
      if (!this.#latest.done) await this.#chunks(writer);
      assertShardComplete(this.#shard, this.#latest.counts, this.#name, this.#work.unit);
      await this.#report();
      return this.#latest;
    } finally {
      await writer.close();
    }
  }

  get #name(): string {
    return `Shard ${this.#number} of run ${this.#work.run}`;
  }

  async #chunks(writer: Writer<unknown>): Promise<void> {
    const { sizer, stop, total } = this.#work;
    // A run that stopped for too many continues only when they were corrected or more are allowed.
    await this.#stopIfTooMany(total);
    // Aborts when what is read is not needed any more.
    const end = new AbortController();
    const endNow = () => end.abort(this.#context.signal.reason ?? stop.reason);
    const endSoon = () => timers.push(setTimeout(endNow, GRACE_MS));
    const timers: NodeJS.Timeout[] = [];
    this.#context.signal.addEventListener("abort", endNow, { once: true });
    stop.addEventListener("abort", endSoon, { once: true });
    if (stop.aborted) endSoon();
    if (this.#context.signal.aborted) endNow();
    // One chunk ahead: more would have sizes that no longer suit when they are written.
    const ahead = prefetch(
      this.#prepare(end.signal),
      () => sizer.bytes,
      () => end.abort(),
    );
    try {
      for await (const chunk of ahead) {
        await this.#throttled();
        await this.#write(writer, chunk);
        await this.#stopIfTooMany(total);
      }
      // A source may end early, without an error, when its signal aborts: that is not the end of the shard.
      this.#either.throwIfAborted();
    } finally {
      this.#context.signal.removeEventListener("abort", endNow);
      stop.removeEventListener("abort", endSoon);
      for (const timer of timers) clearTimeout(timer);
    }
    await this.#stopIfTooMany(() => total() ?? this.#latest.counts.read);
    const done = { ...this.#latest, done: true };
    assertShardComplete(this.#shard, done.counts, this.#name, this.#work.unit);
    await writer.finish(done);
    this.#latest = done;
  }

  /** Chunks ready to be written, until the source ends or the run is to stop: none begins after that. */
  async *#prepare(end: AbortSignal): AsyncGenerator<ReadyChunk, void, undefined> {
    const { job, sink, sizer, stop, transform } = this.#work;
    const signals = {
      stop: AbortSignal.any([stop, end]),
      end,
      onTrouble: (error: unknown) => this.trouble(error),
    };
    const pack = sink.pack?.bind(sink);
    const chunks = job.source.read(this.#shard, this.#latest.cursor, sizer, end)[Symbol.asyncIterator]();
    let cursor = JSON.stringify(this.#latest.cursor);
    try {
      for (;;) {
        const began = performance.now();
        const asked = sizer.bytes;
        const { done, value: chunk } = await orAborted(chunks.next(), signals.stop);
        if (done) return;
        cursor = assertMoved(chunk, cursor);
        const prepared = transform
          ? await orAborted(transform.chunk(chunk, asked, signals, pack), end)
          : untransformed(chunk, asked, sink);
        boundYoungGeneration();
        yield { bytes: asked, prepared, ms: performance.now() - began };
      }
    } finally {
      const closed = Promise.resolve(chunks.return?.()).catch(() => {});
      await withTimeout(closed, CLOSE_MS, () => {});
    }
  }

  async #write(writer: Writer<unknown>, { prepared, ms }: ReadyChunk): Promise<void> {
    const { store, run, sizer, transform } = this.#work;
    const before = this.#latest;
    let checkpoint: Checkpoint | undefined;
    const began = performance.now();
    try {
      await writer.write(prepared.output, async (outcome) => {
        const origin = { store, run, shard: this.#number, lease: this.#context.lease };
        checkpoint = await buildCheckpoint(origin, before, prepared, outcome);
        return checkpoint;
      });
    } catch (error) {
      sizer.halve();
      throw error;
    }
    if (checkpoint === undefined)
      throw new PawlError("sink.unsealed", "The sink wrote a chunk without building its checkpoint.");
    const { items } = prepared.source;
    if (items > 0)
      sizer.observe(prepared.bytes, ms + performance.now() - began, items, transform?.leastItems);
    this.#latest = checkpoint;
    this.committed++;
    const storeHoldsTheTruth = this.#work.sink.guarantee !== "transactional";
    if (storeHoldsTheTruth || performance.now() - this.#reportedAt > REPORT_MS) await this.#report();
  }

  /** Stores what was committed before the attempt failed, so that the counts tell what is in the target. */
  async report(error: unknown): Promise<void> {
    if (error instanceof LostError || this.#reported === this.#latest || this.#latest === START) return;
    await this.#report().catch(() => {});
  }

  async #report(): Promise<void> {
    const latest = this.#latest;
    await this.#context.saveProgress({ checkpoint: latest } as unknown as Json);
    this.#reported = latest;
    this.#reportedAt = performance.now();
    if (this.#toldAt === null || this.committed === 0) return;
    // The first success after errors removes their note.
    this.#toldAt = null;
    const run = await this.#work.store.run(this.#work.run);
    if (run?.note?.startsWith(TROUBLE)) await this.#note(null);
  }

  /** Tells the user, in the note of the run, of an error that is tried again. */
  trouble(error: unknown): void {
    if (this.#toldAt !== null && performance.now() - this.#toldAt < TELL_MS) return;
    this.#toldAt = performance.now();
    void this.#note(`${TROUBLE}: ${errorText(error)}`).catch(() => {});
  }

  async #note(note: string | null): Promise<void> {
    await this.#work.store.updateRun(this.#work.run, ["running"], { note });
  }

  /** Returns when the job's throttles let the next chunk pass. */
  async #throttled(): Promise<void> {
    const { job } = this.#work;
    if (job.throttle === undefined || job.throttle.length === 0) return;
    // Checked before the throttles are asked: one that fails each time would keep the run from being stopped.
    this.#either.throwIfAborted();
    await waitForThrottles(job.throttle, this.#either, (reason) =>
      this.#note(reason === null ? null : `waiting: ${reason}`),
    );
  }

  /** Fails the run when too many items are quarantined. `total` gives the number that a share refers to; null while it is not known. */
  async #stopIfTooMany(total: () => number | null): Promise<void> {
    const { store, run, maxQuarantined, unit } = this.#work;
    const { counts } = this.#latest;
    if (counts.quarantined === 0) return;
    // What a replay has corrected no longer counts.
    const quarantined = await store.quarantineCount(run, { openOnly: true });
    const reason = tooManyQuarantined(maxQuarantined, quarantined, counts.read, total(), unit);
    if (reason === null) return;
    await this.#report();
    await store.updateRun(run, ["running"], { state: "failed", note: reason });
    throw new Snooze(null);
  }
}

/** How the note of a run begins that tells of an error that is tried again. */
const TROUBLE = "trying again";

/** Refuses a chunk that ends at the cursor where it began: a run that continues from there would read it again. */
function assertMoved(chunk: Chunk<unknown>, cursor: string): string {
  const end = cursorJson(chunk.end);
  if (chunk.items === 0 || end !== cursor) return end;
  throw new PawlError(
    "source.cursor",
    `The source gave a chunk that ends at the cursor where it began (${end}): nothing of it was written; this is a defect of the source, please report it there.`,
  );
}

/** The cursor as it is stored. A run could not continue from one that JSON cannot hold. */
function cursorJson(end: unknown): string {
  try {
    return toJson(end) ?? "null";
  } catch (error) {
    throw new PawlError(
      "source.cursor",
      `The source gave a chunk whose cursor cannot be stored as JSON (${errorText(error)}): nothing of it was written; this is a defect of the source, please report it there.`,
      { cause: error },
    );
  }
}

/** Failures by item of the source's chunk: an item whose results failed twice is one failed item. */
function failuresBySource(
  prepared: PreparedChunk,
  outcome: WriteOutcome,
): { items: Failure[]; merged: number } {
  const byIndex = new Map<number, Failure>();
  let merged = 0;
  for (const failure of prepared.failures) byIndex.set(failure.index, failure);
  for (const failure of outcome.failures) {
    const index = prepared.sourceIndex(failure.index);
    const known = byIndex.get(index);
    if (known) merged++;
    byIndex.set(
      index,
      known ? { ...known, reason: `${known.reason}; ${failure.reason}` } : { ...failure, index },
    );
  }
  return { items: [...byIndex.values()].sort((a, b) => a.index - b.index), merged };
}

/** The shard of a chunk, and the lease under which its failed items are quarantined. */
interface ChunkOrigin {
  readonly store: RunStore;
  readonly run: string;
  readonly shard: number;
  readonly lease: Lease;
}

/**
 * The checkpoint that belongs in the same commit as a chunk's effect. The failed items that it counts are quarantined
 * before, durably: a crash cannot lose them, and a second attempt of the chunk overwrites them.
 */
async function buildCheckpoint(
  { store, run, shard, lease }: ChunkOrigin,
  before: Checkpoint,
  prepared: PreparedChunk,
  outcome: WriteOutcome,
): Promise<Checkpoint> {
  assertOutcome(prepared.output, outcome);
  const { items: failures, merged } = failuresBySource(prepared, outcome);
  const { counts } = before;
  if (failures.length > 0) {
    const items: QuarantinedItem[] = [];
    for (const failure of failures) {
      const origin = await prepared.source.origin(failure.index);
      items.push({
        shard,
        ordinal: counts.read + failure.index,
        raw: origin.raw,
        at: origin.at,
        reason: failure.reason,
        code: failure.code ?? null,
      });
    }
    await store.quarantine(run, shard, counts.read, items, lease);
  }
  return {
    cursor: prepared.source.end,
    done: false,
    counts: {
      read: counts.read + prepared.source.items,
      added: counts.added + prepared.added - merged,
      written: counts.written + outcome.written,
      unchanged: counts.unchanged + outcome.unchanged,
      skipped: counts.skipped + prepared.skipped + outcome.skipped,
      quarantined: counts.quarantined + failures.length,
      duplicates: counts.duplicates + outcome.duplicates,
      bytes: counts.bytes + prepared.source.bytes,
    },
  };
}

/**
 * Reads ahead of the consumer, in order, while what is waiting holds less than `wanted` bytes (one value always may),
 * so that reading and transforming overlap with writing in bounded memory. An error of the input is thrown where it
 * stands in the order. When the consumer stops early, `onStop` is called to wake an input that waits for data, and
 * the input is closed.
 */
async function* prefetch<T extends { readonly bytes: number }>(
  input: AsyncIterable<T>,
  wanted: () => number,
  onStop: () => void = () => {},
): AsyncGenerator<T, void, undefined> {
  const waiting: T[] = [];
  let heldBytes = 0;
  let ended = false;
  let failure: { error: unknown } | null = null;
  let stopped = false;
  let wakeConsumer = () => {};
  let wakeProducer = () => {};

  const producing = (async () => {
    try {
      for await (const value of input) {
        waiting.push(value);
        heldBytes += value.bytes;
        wakeConsumer();
        while (!stopped && waiting.length > 0 && heldBytes >= wanted()) {
          await new Promise<void>((resolve) => {
            wakeProducer = resolve;
          });
        }
        if (stopped) return;
      }
    } catch (error) {
      failure = { error };
    } finally {
      ended = true;
      wakeConsumer();
    }
  })();

  try {
    for (;;) {
      const value = waiting.shift();
      if (value !== undefined) {
        heldBytes -= value.bytes;
        wakeProducer();
        yield value;
        continue;
      }
      if (failure !== null) throw (failure as { error: unknown }).error;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wakeConsumer = resolve;
      });
    }
  } finally {
    stopped = true;
    onStop();
    wakeProducer();
    await producing;
  }
}
