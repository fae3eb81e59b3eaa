import { availableParallelism } from "node:os";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { chunkSizeFor, repaysStart } from "../calls/cost.ts";
import type { Stopper } from "../calls/submit.ts";
import type { WorkQueue } from "../calls/work-queue.ts";
import type { PoolSettings } from "../options.ts";
import type { WorkerSetup } from "./protocol.ts";
import { type WorkerEvents, WorkerHandle } from "./worker-handle.ts";

/** After so many workers in a row that died before they were ready, the pool gives up. */
const MOST_START_FAILURES = 3;

/** How long an item may run, in milliseconds, before an idle worker gets those behind it in its chunk. */
const BEHIND_MS = 2;

/** How long a chunk may keep a worker from the items of another call, in milliseconds: twice what it should take. */
const TURN_MS = 20;

/** Workers that may start at the same time while the caller's thread works: one core is left to it. */
export const OTHER_CORES = Math.max(1, availableParallelism() - 1);

/**
 * The workers of a pool and the work they are given, in turn from each call. They start when there is something to do. What becomes of the
 * items that a worker held when it died is told by `SentChunk.workerDied`.
 */
export class WorkerPool {
  readonly #settings: PoolSettings;
  readonly #setup: WorkerSetup;
  readonly #changed: () => void;
  readonly #workers = new Set<WorkerHandle>();
  readonly #works = new Set<WorkQueue>();
  #scheduled = false;
  #closed = false;
  #startFailures = 0;
  /** Maps whose items also run in the caller's thread at the moment. */
  #helpers = 0;
  #idleTimer: NodeJS.Timeout | null = null;
  #chunkTimer: NodeJS.Timeout | null = null;

  /** `changed` is called when a worker has finished its chunk, or is gone. */
  constructor(settings: PoolSettings, setup: WorkerSetup, changed: () => void) {
    this.#settings = settings;
    this.#setup = setup;
    this.#changed = changed;
  }

  /** Workers at most. */
  get maxWorkers(): number {
    return this.#settings.workers;
  }

  /** Whether items wait or run. */
  get busy(): boolean {
    for (const work of this.#works) if (work.ready > 0) return true;
    for (const worker of this.#workers) if (worker.state === "busy") return true;
    return false;
  }

  /** Whether a worker could take a chunk, now or after the one that it has. */
  get isReady(): boolean {
    for (const { state } of this.#workers) if (state === "idle" || state === "busy") return true;
    return false;
  }

  /** Whether all workers that the pool may have are there and have loaded the function. */
  isAtWork(work: WorkQueue): boolean {
    if (this.#workers.size < this.maxWorkers) return false;
    for (const worker of this.#workers) if (!worker.knows(work)) return false;
    return true;
  }

  /** Gives items of this work to workers from now on. */
  add(work: WorkQueue): void {
    this.#works.add(work);
  }

  /** Gives out no more of its items, and cancels those that workers have. */
  drop(work: WorkQueue, reason: string): void {
    this.#works.delete(work);
    for (const worker of this.#workers) worker.cancel(work, reason);
  }

  /** Schedules in a microtask, so that calls of the same turn are given out together. */
  scheduleSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.schedule();
    });
  }

  /** Gives chunks to idle workers, in turn from each call, and starts workers while there is more to do. */
  schedule(): void {
    // Workers that end give items back, but their calls have ended.
    if (this.#closed) return;
    for (;;) {
      const worker = this.#idleWorker();
      if (worker === null) {
        this.#growForReady();
        break;
      }
      // A call moves to the end of the queue only when a worker takes its items: otherwise it would wait as long as others have some.
      const work = this.#nextWork();
      if (work === null) break;
      if (this.#helpers > 0 && !worker.knows(work)) {
        worker.load(work);
        continue;
      }
      const { cost, chunkSize, limit } = work.call;
      const size = chunkSizeFor(cost, chunkSize, work.left, this.maxWorkers);
      worker.run(work, work.take(Math.min(size, work.ready, worker.room, limit === null ? size : 64)));
    }
    this.#watchIdle();
    this.#watchChunks();
  }

  #growForReady(): void {
    let items = 0;
    for (const work of this.#works) {
      if (this.#helpers === 0 || repaysStart(work.call.cost, work.left)) items += work.ready;
    }
    if (items > 0) this.grow(items);
  }

  /** Looks again in a while, as long as items wait in a chunk that another worker could run, or that others wait for. */
  #watchChunks(): void {
    if (this.#chunkTimer !== null || this.#closed) return;
    const idle = this.#idleWorker() !== null || this.#workers.size < this.maxWorkers;
    if (!this.#anyBehind((worker) => idle || this.#waitsFor(worker))) return;
    this.#chunkTimer = setTimeout(
      () => {
        this.#chunkTimer = null;
        this.#breakUp();
        this.schedule();
      },
      idle ? BEHIND_MS : TURN_MS / 2,
    );
  }

  /**
   * Takes items back from chunks: those behind one that takes long, where another worker is idle or could be, and those
   * that keep a worker longer than a chunk should from the items of another call.
   */
  #breakUp(): void {
    const idle = this.#idleWorker() !== null;
    let behind = 0;
    for (const worker of this.#workers) {
      if (worker.state !== "busy" || worker.behind === 0) continue;
      if (this.#waitsFor(worker) ? worker.chunkMs >= TURN_MS : idle && worker.itemMs >= BEHIND_MS)
        worker.takeBack(1);
      else if (!idle && worker.itemMs >= TURN_MS) behind += worker.behind;
    }
    // The workers that start take these items when they are ready.
    if (behind > 0 && this.#helpers === 0) this.grow(behind);
  }

  #anyBehind(isMeant: (worker: WorkerHandle) => boolean): boolean {
    for (const worker of this.#workers)
      if (worker.state === "busy" && isMeant(worker) && worker.behind > 0) return true;
    return false;
  }

  /** Whether items of a call other than its own wait for this worker. */
  #waitsFor(worker: WorkerHandle): boolean {
    for (const work of this.#works) if (work !== worker.work && work.ready > 0) return true;
    return false;
  }

  /** Starts workers for so many items: up to the limit of the pool, and at most `atOnce` at the same time. */
  grow(items: number, atOnce = this.#startsAtOnce): void {
    if (this.#closed) return;
    let starting = 0;
    for (const worker of this.#workers) if (worker.state === "starting") starting++;
    for (; starting < Math.min(items, atOnce) && this.#workers.size < this.maxWorkers; starting++)
      if (!this.#start()) return;
  }

  /**
   * Schedules while `help` runs items in the caller's thread as well: workers that start meanwhile leave it a core, and take
   * no items before they have loaded the function, since the caller's thread would have run them by then.
   */
  async scheduleWith(help: () => Promise<void>): Promise<void> {
    this.#helpers++;
    this.schedule();
    await help();
    this.#helpers--;
    this.schedule();
  }

  get #startsAtOnce(): number {
    return this.#helpers === 0 ? Number.POSITIVE_INFINITY : OTHER_CORES;
  }

  /** Every call that is under way gets this error. */
  failAll(error: unknown): void {
    for (const work of this.#works) work.fail(error);
  }

  /** Lets the workers end. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#idleTimer = null;
    if (this.#chunkTimer !== null) clearTimeout(this.#chunkTimer);
    this.#chunkTimer = null;
    await Promise.all([...this.#workers].map((worker) => worker.close()));
  }

  /** Ends the workers now. */
  async kill(error: Error): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#workers].map((worker) => worker.kill(error)));
  }

  /** Stops a call that was submitted, in the worker that has it. */
  readonly stopper: Stopper = {
    abort: (work, index, reason) => {
      const stops = this.#workerOf(work, index)?.abort(index, reason) ?? false;
      if (!stops) this.scheduleSoon();
      return stops;
    },
    kill: (work, index, error) => {
      const stops = this.#workerOf(work, index)?.killItem(index, error) ?? false;
      if (!stops) this.scheduleSoon();
      return stops;
    },
  };

  #workerOf(work: WorkQueue, index: number): WorkerHandle | undefined {
    return [...this.#workers].find((each) => each.has(work, index));
  }

  #nextWork(): WorkQueue | null {
    for (const work of this.#works) {
      if (work.ready === 0) continue;
      // Its next turn comes after those of all others.
      this.#works.delete(work);
      this.#works.add(work);
      return work;
    }
    return null;
  }

  #idleWorker(): WorkerHandle | null {
    for (const worker of this.#workers) if (worker.state === "idle") return worker;
    return null;
  }

  /** False when none could be started. */
  #start(): boolean {
    try {
      this.#workers.add(new WorkerHandle(this.#settings, this.#setup, this.#workerEvents));
      return true;
    } catch (error) {
      // The workers that are there do the work.
      if (this.#workers.size > 0) return false;
      const sentence = `The pool cannot start a worker: ${errorReason(error)}.`;
      this.failAll(
        error instanceof PawlError ? error : new PawlError("pool.no-worker", sentence, { cause: error }),
      );
      return false;
    }
  }

  readonly #workerEvents: WorkerEvents = {
    idle: () => {
      this.#startFailures = 0;
      this.schedule();
      this.#changed();
    },
    gone: (gone) => {
      this.#workers.delete(gone);
      if (gone.neverReady && ++this.#startFailures >= MOST_START_FAILURES) {
        const sentence = `The pool's workers end before they begin: ${gone.why}.`;
        this.failAll(new PawlError("pool.no-worker", sentence));
      }
      this.schedule();
      this.#changed();
    },
    unready: (_worker, error) => this.failAll(error),
  };

  /** Ends workers that had nothing to do for long. The timer keeps no program alive. */
  #watchIdle(): void {
    if (this.#idleTimer !== null || this.#closed) return;
    const { idleMs } = this.#settings;
    this.#idleTimer = setTimeout(
      () => {
        this.#idleTimer = null;
        const now = performance.now();
        for (const worker of this.#workers) {
          if (worker.state === "idle" && now - worker.idleSince >= idleMs) void worker.close();
        }
        if (this.#workers.size > 0) this.#watchIdle();
      },
      Math.min(Math.max(10, idleMs), LONGEST_TIMER_MS),
    );
    this.#idleTimer.unref();
  }
}
