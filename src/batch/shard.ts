import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "../error-text.ts";
import { LostError, PawlError } from "../errors.ts";
import type { Json, Store, TaskRecord } from "../store/contract.ts";
import { type Handler, PermanentError, Snooze, type TaskContext } from "../tasks/index.ts";
import type { Checkpoint, Chunk, OpenSink, Shard, Writer } from "./contract.ts";
import { assertAccounted, START } from "./counts.ts";
import { isTransient } from "./infrastructure.ts";
import type { AnyJob } from "./job.ts";
import { exceeds, type MaxBad } from "./max-bad.ts";
import { boundNursery } from "./nursery.ts";
import type { AdaptivePace } from "./pace.ts";
import { prefetch } from "./prefetch.ts";
import { sealChunk } from "./seal.ts";
import type { StepWorkers } from "./step-workers.ts";
import { type PreparedChunk, stepped, unstepped } from "./stepping.ts";
import { waitForThrottles } from "./throttle.ts";

/** The payload of a shard's task. */
export interface ShardPayload {
  readonly number: number;
  readonly shard: Shard;
  /** The plan has shown that no two items of the run have the same key. */
  readonly distinct?: boolean;
}

/** What a process needs to work on the shards of one run. */
export interface ShardWork {
  readonly store: Store;
  readonly run: string;
  readonly job: AnyJob;
  readonly sink: OpenSink<unknown>;
  readonly unit: string;
  /** Shared by the shards: what one has learnt about the target holds for the next. */
  readonly pace: AdaptivePace;
  /** Where the step may run beside this thread; null without a step. */
  readonly stepWorkers: StepWorkers | null;
  readonly maxBad: MaxBad;
  /** The run's total, once planned. */
  total(): number | null;
  /** How long a shard keeps trying while nothing succeeds, in milliseconds. */
  readonly patienceMs: number;
}

/** How often a shard tells the store how far it is, where the target holds the truth. */
const REPORT_MS = 250;

/** The handler of a shard's task: works through its chunks, and through passing trouble, until it is done. */
export function shardHandler(work: ShardWork): Handler {
  return async (task, context) => {
    const attempt = new ShardAttempt(work, task, context);
    let troubleSince: number | null = null;
    for (let tries = 0; ; tries++) {
      const committedBefore = attempt.committed;
      try {
        return { checkpoint: await attempt.work() } as unknown as Json;
      } catch (error) {
        if (error instanceof LostError || error instanceof Snooze || context.signal.aborted) throw error;
        if (!isTransient(error)) throw permanent(error);
        if (attempt.committed > committedBefore || troubleSince === null) {
          troubleSince = performance.now();
          tries = 0;
        }
        if (performance.now() - troubleSince > work.patienceMs) throw permanent(error);
        const waitMs = Math.min(5000, 100 * 2 ** Math.min(tries, 6)) * (0.5 + Math.random() / 2);
        await work.store
          .updateRun(work.run, ["running"], { note: `trying again: ${errorText(error)}` })
          .catch(() => false);
        await sleep(waitMs, undefined, { signal: context.signal });
      }
    }
  };
}

function permanent(error: unknown): Error {
  return new PermanentError(errorText(error), { cause: error });
}

class ShardAttempt {
  /** Chunks committed by this process, to tell whether anything moves. */
  committed = 0;
  readonly #work: ShardWork;
  readonly #context: TaskContext;
  readonly #number: number;
  readonly #shard: Shard;
  readonly #distinct: boolean;
  #latest: Checkpoint;
  #reportedAt = 0;
  #noted = false;

  constructor(work: ShardWork, task: TaskRecord, context: TaskContext) {
    const payload = task.payload as unknown as ShardPayload;
    this.#work = work;
    this.#context = context;
    this.#number = payload.number;
    this.#shard = payload.shard;
    this.#distinct = payload.distinct ?? false;
    this.#latest = (task.progress as unknown as { checkpoint: Checkpoint } | null)?.checkpoint ?? START;
  }

  async work(): Promise<Checkpoint> {
    const { sink } = this.#work;
    await this.#goOn();
    const writer = await sink.writer(this.#number, this.#context.lease.fence, this.#distinct);
    try {
      this.#latest = writer.checkpoint ?? (sink.guarantee === "transactional" ? START : this.#latest);
      // What an attempt left behind whose commit never came would be counted by no checkpoint.
      const { store, run } = this.#work;
      await store.quarantine(run, this.#number, this.#latest.counts.read, [], this.#context.lease);
      if (!this.#latest.done) await this.#chunks(writer);
      await this.#report();
      return this.#latest;
    } finally {
      await writer.close();
    }
  }

  async #chunks(writer: Writer<unknown>): Promise<void> {
    const { job, pace } = this.#work;
    // A run that stopped for too many goes on only when they were mended or more are allowed.
    await this.#stopIfTooManyBad(this.#work.total());
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, stop.signal]);
    const chunks = job.source.read(this.#shard, this.#latest.cursor, pace, signal);
    // One chunk of the size that suits now: more would only be of a size that suited once.
    const ahead = prefetch(
      this.#prepare(chunks),
      () => pace.bytes,
      () => stop.abort(),
    );
    for await (const prepared of ahead) {
      await this.#goOn();
      await this.#write(writer, prepared);
      await this.#stopIfTooManyBad(this.#work.total());
    }
    await this.#stopIfTooManyBad(this.#work.total() ?? this.#latest.counts.read);
    const done = { ...this.#latest, done: true };
    this.#assertComplete(done);
    await writer.finish(done);
    this.#latest = done;
  }

  async *#prepare(chunks: AsyncIterable<Chunk<unknown>>): AsyncGenerator<PreparedChunk, void, undefined> {
    const { job, sink } = this.#work;
    const step = job.step?.bind(job);
    const pack = sink.pack?.bind(sink);
    const context = { signal: this.#context.signal };
    let asked = this.#work.pace.bytes;
    for await (const chunk of chunks) {
      yield step
        ? await stepped(chunk, asked, step, context, pack, this.#work.stepWorkers)
        : unstepped(chunk, asked);
      boundNursery();
      asked = this.#work.pace.bytes;
    }
  }

  async #write(writer: Writer<unknown>, prepared: PreparedChunk): Promise<void> {
    const { store, run } = this.#work;
    const before = this.#latest;
    let sealed: Checkpoint | undefined;
    const began = performance.now();
    try {
      await writer.write(prepared.output, async (outcome) => {
        const place = { store, run, shard: this.#number, lease: this.#context.lease };
        sealed = await sealChunk(place, before, prepared, outcome);
        return sealed;
      });
    } catch (error) {
      this.#work.pace.halve();
      throw error;
    }
    if (sealed === undefined)
      throw new PawlError("sink.unsealed", "The sink wrote a chunk without sealing it.");
    if (prepared.source.items > 0)
      this.#work.pace.observe(prepared.bytes, performance.now() - began, prepared.source.items);
    this.#latest = sealed;
    this.committed++;
    const storeHoldsTheTruth = this.#work.sink.guarantee !== "transactional";
    if (storeHoldsTheTruth || performance.now() - this.#reportedAt > REPORT_MS) await this.#report();
  }

  async #report(): Promise<void> {
    await this.#context.progress({ checkpoint: this.#latest } as unknown as Json);
    this.#reportedAt = performance.now();
    if (this.#noted) return;
    // The first success after trouble takes the trouble's note away.
    this.#noted = true;
    const run = await this.#work.store.run(this.#work.run);
    if (run?.note?.startsWith("trying again"))
      await this.#work.store.updateRun(run.id, ["running"], { note: null });
  }

  /** Returns when the next chunk may start; hands the shard back when the run is to stop. */
  async #goOn(): Promise<void> {
    const { store, run, job } = this.#work;
    const running = async () => (await store.run(run))?.state === "running";
    this.#context.signal.throwIfAborted();
    if (job.throttle !== undefined && job.throttle.length > 0) {
      // Before they are asked, since one that fails each time would keep the run from being stopped.
      if (!(await running())) throw new Snooze(null);
      await waitForThrottles(
        job.throttle,
        this.#context.signal,
        async (reason) => {
          await store.updateRun(run, ["running"], { note: reason === null ? null : `waiting: ${reason}` });
        },
        running,
      );
    }
    if (!(await running())) throw new Snooze(null);
  }

  /** `total` is what a share of is allowed; null while it is not known. */
  async #stopIfTooManyBad(total: number | null): Promise<void> {
    const { store, run, maxBad, unit } = this.#work;
    const { counts } = this.#latest;
    if (counts.quarantined === 0) return;
    // What a replay has mended no longer counts.
    const quarantined = await store.quarantineCount(run, { openOnly: true });
    const reason = exceeds(maxBad, quarantined, counts.read, total, unit);
    if (reason === null) return;
    await this.#report();
    await store.updateRun(run, ["running"], { state: "failed", note: reason });
    throw new Snooze(null);
  }

  #assertComplete(done: Checkpoint): void {
    const what = `Shard ${this.#number} of run ${this.#work.run}`;
    assertAccounted(done.counts, what);
    if (this.#shard.items !== null && this.#shard.items !== done.counts.read) {
      throw new PawlError(
        "run.incomplete",
        `${what} read ${done.counts.read} ${this.#work.unit} where the plan counted ${this.#shard.items}: did the source change while it was read? Run it again with --restart.`,
      );
    }
  }
}
