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

/** Workers that die before they have done anything, one after the other, until the pool gives up. */
const MOST_START_FAILURES = 3;

/** How long an item may run, in milliseconds, before an idle worker gets those behind it in its chunk. */
const BEHIND_MS = 2;

/** How long a chunk may keep a worker from the items of another call, in milliseconds: twice what it should take. */
const TURN_MS = 20;

/** Cores for workers to start on while the caller's thread is at work. */
export const OTHER_CORES = Math.max(1, availableParallelism() - 1);

/** The workers of a pool and the work they are given, in turn from each call. They start when there is something to do. */
export class WorkerPool {
  readonly #settings: PoolSettings;
  readonly #setup: WorkerSetup;
  readonly #changed: () => void;
  readonly #workers = new Set<WorkerHandle>();
  readonly #works = new Set<WorkQueue>();
  #scheduled = false;
  #closed = false;
  #startFailures = 0;
  /** Callers that are at work themselves. */
  #helpers = 0;
  #idleTimer: NodeJS.Timeout | null = null;
  #chunkTimer: NodeJS.Timeout | null = null;

  /** `changed` is called when a worker has done what it had, or is gone. */
  constructor(settings: PoolSettings, setup: WorkerSetup, changed: () => void) {
    this.#settings = settings;
    this.#setup = setup;
    this.#changed = changed;
  }

  /** Workers at most. */
  get maxWorkers(): number {
    return this.#settings.workers;
  }

  /** Something is to be done, or is being done. */
  get busy(): boolean {
    for (const work of this.#works) if (work.ready > 0) return true;
    for (const worker of this.#workers) if (worker.state === "busy") return true;
    return false;
  }

  /** A worker could take a chunk, now or when it has done what it has. */
  get isReady(): boolean {
    for (const { state } of this.#workers) if (state === "idle" || state === "busy") return true;
    return false;
  }

  /** Every worker there may be is there and has loaded the function. */
  isAtWork(work: WorkQueue): boolean {
    if (this.#workers.size < this.maxWorkers) return false;
    for (const worker of this.#workers) if (!worker.knows(work)) return false;
    return true;
  }

  /** Takes items of this work from now on. */
  add(work: WorkQueue): void {
    this.#works.add(work);
  }

  /** Takes no more of it, and leaves undone what was taken. */
  drop(work: WorkQueue, reason: string): void {
    this.#works.delete(work);
    for (const worker of this.#workers) worker.cancel(work, reason);
  }

  /** Gives out what there is once this turn of the program is over. */
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
    // What workers that died give back belongs to calls that have ended.
    if (this.#closed) return;
    for (;;) {
      const worker = this.#idleWorker();
      if (worker === null) {
        this.#growForReady();
        break;
      }
      // Only now is it its turn: who is passed over here would wait as long as the others have items.
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
    // They have them when they are there.
    if (behind > 0 && this.#helpers === 0) this.grow(behind);
  }

  #anyBehind(isMeant: (worker: WorkerHandle) => boolean): boolean {
    for (const worker of this.#workers)
      if (worker.state === "busy" && isMeant(worker) && worker.behind > 0) return true;
    return false;
  }

  /** Items of another call than its own wait for this worker. */
  #waitsFor(worker: WorkerHandle): boolean {
    for (const work of this.#works) if (work !== worker.work && work.ready > 0) return true;
    return false;
  }

  /** Starts workers for so many items, as far as there may be more, and at most so many at the same time. */
  grow(items: number, atOnce = this.#startsAtOnce): void {
    if (this.#closed) return;
    let starting = 0;
    for (const worker of this.#workers) if (worker.state === "starting") starting++;
    for (; starting < Math.min(items, atOnce) && this.#workers.size < this.maxWorkers; starting++)
      if (!this.#start()) return;
  }

  /**
   * Does what there is, with the help of the caller's thread while that lasts: workers that start leave it a core, and
   * take no items before they have loaded the function, for the caller has done them by then.
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

  /** How one call is reached that is under way. */
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
      // It comes last from now on.
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
      // Those there are do what there is to do.
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
