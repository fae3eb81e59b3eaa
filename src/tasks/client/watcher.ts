import { setTimeout as sleep } from "node:timers/promises";
import { PawlError } from "../../errors.ts";
import type { TaskRecord, TaskStore } from "../../store/contract.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { WakeUpSignal } from "../wake-up-signal.ts";

export type Records = ReadonlyMap<string, TaskRecord>;

interface Entry {
  readonly ids: () => readonly string[];
  /** True when it has seen what it waited for. */
  readonly look: (records: Records) => boolean;
  readonly failed: (error: unknown) => void;
  pause: number;
  due: number;
}

/** How soon one looks again for what was not there, at first and in the end. A hint comes sooner. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** However many hints come, looking takes no more than a fifth of the time. */
const SHARE = 4;
const SHORTEST_PAUSE_MS = 10;

const BATCH = 500;

/** Follows tasks for all who wait for them in this process: one query for all of them, when the store hints at news. */
export class Watcher {
  readonly #store: TaskStore;
  readonly #entries = new Set<Entry>();
  readonly #wakeUp = new WakeUpSignal();
  #hinted = false;
  #watching = false;

  constructor(store: TaskStore) {
    this.#store = store;
  }

  /**
   * What `look` makes of the records of `ids`, once it makes something of them; undefined when `ms` are over before.
   * Throws what `signal` aborts with.
   */
  async until<T>(
    ids: () => readonly string[],
    look: (records: Records) => T | undefined,
    { ms = Number.POSITIVE_INFINITY, signal }: { readonly ms?: number; readonly signal?: AbortSignal } = {},
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    const seen = Promise.withResolvers<T | undefined>();
    const aborted = () => seen.reject(signal?.reason);
    signal?.addEventListener("abort", aborted, { once: true });
    const entry: Entry = {
      ids,
      look: (records) => {
        try {
          const found = look(records);
          if (found !== undefined) seen.resolve(found);
          return found !== undefined;
        } catch (error) {
          seen.reject(error);
          return true;
        }
      },
      failed: seen.reject,
      pause: FIRST_PAUSE_MS,
      due: 0,
    };
    this.#entries.add(entry);
    this.#wakeUp.wake();
    if (!this.#watching) void this.#watch();
    const timer = ms <= LONGEST_TIMER_MS ? setTimeout(() => seen.resolve(undefined), ms) : undefined;
    try {
      return await seen.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      this.#entries.delete(entry);
      this.#wakeUp.wake();
    }
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    const stop = this.#store.onSettled(() => {
      this.#hinted = true;
      this.#wakeUp.wake();
    });
    try {
      while (this.#entries.size > 0) {
        const began = performance.now();
        await this.#look(began);
        const took = performance.now() - began;
        await sleep(Math.max(SHORTEST_PAUSE_MS, took * SHARE));
        let next = Number.POSITIVE_INFINITY;
        for (const { due } of this.#entries) next = Math.min(next, due);
        const pause = next - performance.now();
        if (pause > 0 && !this.#hinted && this.#entries.size > 0)
          await this.#wakeUp.wait(Math.min(pause, LONGEST_PAUSE_MS));
      }
    } finally {
      this.#watching = false;
      stop();
    }
  }

  async #look(now: number): Promise<void> {
    const hinted = this.#hinted;
    this.#hinted = false;
    const entries = [...this.#entries].filter(({ due }) => hinted || due <= now);
    const ids = [...new Set(entries.flatMap((entry) => entry.ids()))];
    try {
      const records = new Map<string, TaskRecord>();
      for (let at = 0; at < ids.length; at += BATCH) {
        for (const record of await this.#store.query({ ids: ids.slice(at, at + BATCH) })) {
          records.set(record.id, record);
        }
      }
      for (const entry of entries) {
        if (entry.look(records)) this.#entries.delete(entry);
        entry.due = performance.now() + entry.pause;
        entry.pause = Math.min(entry.pause * 1.5, LONGEST_PAUSE_MS);
      }
    } catch (error) {
      // A server that is away comes back; a store that this program closed does not.
      for (const entry of entries) {
        if (error instanceof PawlError && error.code === "store.closed") entry.failed(error);
        entry.due = performance.now() + LONGEST_PAUSE_MS;
      }
    }
  }
}
