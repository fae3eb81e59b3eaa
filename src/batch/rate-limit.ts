import { setTimeout as sleep } from "node:timers/promises";

/** What a pause may save up, in milliseconds' worth: enough to even out timers, too little for a burst that anybody notices. */
const SAVED_MS = 100;

/** Lets so much pass a second, in the order in which it was asked for. */
export class RateLimit {
  readonly #perMs: number;
  readonly #now: () => number;
  /** When all that was let pass so far has had its time. */
  #paidUntil = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perMs = perSecond / 1000;
    this.#now = now;
  }

  /** How many milliseconds `amount` has to wait; it counts from now on as passed. */
  take(amount: number): number {
    const now = this.#now();
    const from = Math.max(this.#paidUntil, now - SAVED_MS);
    this.#paidUntil = from + amount / this.#perMs;
    return Math.max(0, from - now);
  }

  /** Waits until `amount` may pass. */
  async pass(amount: number, signal?: AbortSignal): Promise<void> {
    const waitMs = this.take(amount);
    if (waitMs > 0) await sleep(waitMs, undefined, signal ? { signal } : {});
  }
}
