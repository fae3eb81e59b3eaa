import { hostname } from "node:os";
import { assertMethods } from "../../arguments.ts";
import type { Heartbeat, TaskStore } from "../../store/contract.ts";
import { ownWorkerId } from "./worker-id.ts";

/** What one worker of this process says of itself. */
export interface Pulse {
  readonly queues: readonly string[];
  readonly slots: number;
  readonly draining: boolean;
  /** Ids of running tasks. */
  running(): string[];
  /** Tasks that ended since it began, by queue. */
  readonly ended: ReadonlyMap<string, number>;
}

type HeartStore = Pick<TaskStore, "heartbeat" | "leave"> & { readonly address: string };

interface Sample {
  readonly at: number;
  readonly ended: ReadonlyMap<string, number>;
}

const BEAT_MS = 10_000;
const RATE_MS = 60_000;

const hearts = new Map<string, Heart>();

/** Tells a store that this process lives, for all its workers on that store together. */
export class Heart {
  readonly #store: HeartStore;
  readonly #pulses = new Set<Pulse>();
  readonly #report: (error: unknown) => void;
  #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Of workers that have left. */
  readonly #before = new Map<string, number>();

  private constructor(store: HeartStore, report: (error: unknown) => void) {
    this.#store = store;
    this.#report = report;
  }

  /** Adds a worker. Once this resolves the store knows the process, so that its death can be told. */
  static async join(store: HeartStore, pulse: Pulse, report: (error: unknown) => void): Promise<Heart> {
    let heart = hearts.get(store.address);
    if (heart === undefined) {
      heart = new Heart(store, report);
      hearts.set(store.address, heart);
    }
    heart.#pulses.add(pulse);
    await store.heartbeat(heart.#beat());
    heart.#timer ??= setInterval(() => void heart.#tell(), BEAT_MS).unref();
    return heart;
  }

  /** Says at once what has changed. */
  async #tell(): Promise<void> {
    try {
      await this.#store.heartbeat(this.#beat());
    } catch (error) {
      this.#report(error);
    }
  }

  /** Takes a worker away; with the last one the store forgets the process. */
  async leave(pulse: Pulse): Promise<void> {
    if (!this.#pulses.delete(pulse)) return;
    for (const [queue, ended] of pulse.ended) {
      this.#before.set(queue, (this.#before.get(queue) ?? 0) + ended);
    }
    if (this.#pulses.size > 0) return;
    clearInterval(this.#timer);
    hearts.delete(this.#store.address);
    try {
      await this.#store.leave(ownWorkerId);
    } catch (error) {
      this.#report(error);
    }
  }

  #beat(): Heartbeat {
    const pulses = [...this.#pulses];
    return {
      id: ownWorkerId,
      host: hostname(),
      pid: process.pid,
      queues: [...new Set(pulses.flatMap(({ queues }) => queues))],
      slots: pulses.reduce((sum, { slots }) => sum + slots, 0),
      memory: process.memoryUsage.rss(),
      running: pulses.flatMap((pulse) => pulse.running()),
      rates: this.#rates(),
      state: pulses.every(({ draining }) => draining) ? "draining" : "running",
    };
  }

  #rates(): Record<string, number> {
    const now = performance.now();
    const ended = new Map(this.#before);
    for (const pulse of this.#pulses) {
      for (const [queue, count] of pulse.ended) ended.set(queue, (ended.get(queue) ?? 0) + count);
    }
    this.#samples.push({ at: now, ended });
    this.#samples = this.#samples.filter(({ at }) => now - at <= RATE_MS);
    const oldest = this.#samples[0]?.ended;
    return Object.fromEntries([...ended].map(([queue, count]) => [queue, count - (oldest?.get(queue) ?? 0)]));
  }
}

/** Queues that begin so belong to the floor above, one for each run. */
export const RUN_QUEUES = "run/";

/** A worker that was not heard of for so long does not count. */
const SPEAKS_MS = 30_000;

/** How many tasks of each queue ended in the last minute, as the workers say. */
export async function queueRates(store: TaskStore): Promise<ReadonlyMap<string, number>> {
  assertMethods(store, "workers", "queueRates needs an open store");
  const rates = new Map<string, number>();
  for (const worker of await store.workers(SPEAKS_MS)) {
    for (const [queue, ended] of Object.entries(worker.rates)) {
      rates.set(queue, (rates.get(queue) ?? 0) + ended);
    }
  }
  return rates;
}
