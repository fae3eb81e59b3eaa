import { hostname } from "node:os";
import { assertMethods } from "../../arguments.ts";
import type { Heartbeat, TaskStore } from "../../store/contract.ts";
import { ownWorkerId } from "./worker-id.ts";

/** What a heartbeat says about one worker of this process. */
export interface WorkerReport {
  readonly queues: readonly string[];
  readonly slots: number;
  readonly draining: boolean;
  /** Ids of running tasks. */
  running(): string[];
  /** Tasks that ended since it began, by queue. */
  readonly ended: ReadonlyMap<string, number>;
}

type HeartbeatStore = Pick<TaskStore, "heartbeat" | "removeWorker"> & { readonly address: string };

interface Sample {
  readonly at: number;
  readonly ended: ReadonlyMap<string, number>;
}

const HEARTBEAT_MS = 10_000;
const RATE_MS = 60_000;

const senders = new Map<string, HeartbeatSender>();

/** Tells a store that this process lives, for all its workers on that store together. */
export class HeartbeatSender {
  readonly #store: HeartbeatStore;
  readonly #workers = new Set<WorkerReport>();
  readonly #report: (error: unknown) => void;
  #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Ended tasks of workers that have left, by queue. */
  readonly #before = new Map<string, number>();

  private constructor(store: HeartbeatStore, report: (error: unknown) => void) {
    this.#store = store;
    this.#report = report;
  }

  /** Adds a worker. Once this resolves the store knows the process, so that its death can be told. */
  static async join(
    store: HeartbeatStore,
    worker: WorkerReport,
    report: (error: unknown) => void,
  ): Promise<HeartbeatSender> {
    let sender = senders.get(store.address);
    if (sender === undefined) {
      sender = new HeartbeatSender(store, report);
      senders.set(store.address, sender);
    }
    sender.#workers.add(worker);
    await store.heartbeat(sender.#heartbeat());
    sender.#timer ??= setInterval(() => void sender.#send(), HEARTBEAT_MS).unref();
    return sender;
  }

  /** Sends a heartbeat at once. */
  async #send(): Promise<void> {
    try {
      await this.#store.heartbeat(this.#heartbeat());
    } catch (error) {
      this.#report(error);
    }
  }

  /** Takes a worker away; with the last one the store forgets the process. */
  async leave(worker: WorkerReport): Promise<void> {
    if (!this.#workers.delete(worker)) return;
    for (const [queue, ended] of worker.ended) {
      this.#before.set(queue, (this.#before.get(queue) ?? 0) + ended);
    }
    if (this.#workers.size > 0) return;
    clearInterval(this.#timer);
    senders.delete(this.#store.address);
    try {
      await this.#store.removeWorker(ownWorkerId);
    } catch (error) {
      this.#report(error);
    }
  }

  #heartbeat(): Heartbeat {
    const workers = [...this.#workers];
    return {
      id: ownWorkerId,
      host: hostname(),
      pid: process.pid,
      queues: [...new Set(workers.flatMap(({ queues }) => queues))],
      slots: workers.reduce((sum, { slots }) => sum + slots, 0),
      memory: process.memoryUsage.rss(),
      running: workers.flatMap((worker) => worker.running()),
      rates: this.#rates(),
      state: workers.every(({ draining }) => draining) ? "draining" : "running",
    };
  }

  #rates(): Record<string, number> {
    const now = performance.now();
    const ended = new Map(this.#before);
    for (const worker of this.#workers) {
      for (const [queue, count] of worker.ended) ended.set(queue, (ended.get(queue) ?? 0) + count);
    }
    this.#samples.push({ at: now, ended });
    this.#samples = this.#samples.filter(({ at }) => now - at <= RATE_MS);
    const oldest = this.#samples[0]?.ended;
    return Object.fromEntries([...ended].map(([queue, count]) => [queue, count - (oldest?.get(queue) ?? 0)]));
  }
}

/** Queues whose names begin so are those of runs, one for each. */
export const RUN_QUEUES = "run/";

/** Three heartbeats: a worker whose latest one is older than this is silent, and does not count. */
export const SILENT_AFTER_MS = 3 * HEARTBEAT_MS;

/** How many tasks of each queue ended in the last minute, as the workers say. */
export async function queueRates(store: TaskStore): Promise<ReadonlyMap<string, number>> {
  assertMethods(store, "workers", "queueRates needs an open store");
  const rates = new Map<string, number>();
  for (const worker of await store.workers(SILENT_AFTER_MS)) {
    for (const [queue, ended] of Object.entries(worker.rates)) {
      rates.set(queue, (rates.get(queue) ?? 0) + ended);
    }
  }
  return rates;
}
