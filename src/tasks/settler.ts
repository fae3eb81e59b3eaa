import { setTimeout as sleep } from "node:timers/promises";
import { PawlError } from "../errors.ts";
import type { Settlement, TaskStore } from "../store/contract.ts";
import { backoffDelay } from "./backoff.ts";

interface Entry {
  readonly settlement: Settlement;
  readonly done: () => void;
}

/** Settlements in one transaction: what a worker ends in one turn, as a rule. */
const BATCH = 2_000;

/**
 * Settles claims in batches: what ends while one transaction is flushed to disk goes into the next. A store that
 * fails is asked again until it works, because the work is done and must not be done a second time.
 */
export class Settler {
  readonly #store: TaskStore;
  readonly #onError: (error: unknown) => void;
  readonly #abandoned = new AbortController();
  readonly #waiting: Entry[] = [];
  #flushing: Promise<void> | undefined;

  constructor(store: TaskStore, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  /** Calls `done` when the claim is settled, is found to be lost, or is abandoned. */
  settle(settlement: Settlement, done: () => void): void {
    this.#waiting.push({ settlement, done });
    this.#flushing ??= this.#flush();
  }

  /** Resolves when what was to be settled is. */
  async flushed(): Promise<void> {
    await this.#flushing;
  }

  /** Settlements that are not durable yet. */
  get backlog(): number {
    return this.#waiting.length;
  }

  /** Gives up on a store that does not work: what is unsettled is taken over when its lease runs out. */
  abandon(): void {
    this.#abandoned.abort();
  }

  async #flush(): Promise<void> {
    // What else ends in this turn of the event loop joins the batch.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      await this.#persist(batch.map(({ settlement }) => settlement));
      for (const { done } of batch) done();
    }
    this.#flushing = undefined;
  }

  async #persist(settlements: readonly Settlement[]): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        // What is lost is in other hands; there is nothing left to do for it.
        await this.#store.settle(settlements);
        return;
      } catch (error) {
        this.#onError(error);
        // This process has closed the store itself: trying again cannot help.
        if (error instanceof PawlError && error.code === "store.closed") return;
      }
      const { signal } = this.#abandoned;
      if (signal.aborted) return;
      await sleep(backoffDelay(failures, { baseMs: 100, capMs: 5_000 }), undefined, { signal }).catch(
        () => {},
      );
    }
  }
}
