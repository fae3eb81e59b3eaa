import { LONGEST_TIMER_MS } from "./longest-timer.ts";

/** How often something may begin. */
export interface Rate {
  /** 0.5 is once in two seconds. */
  readonly perSecond: number;
}

/** Time, as far as a pace needs it. */
export interface PaceClock {
  /** Milliseconds that only ever go forward. */
  now(): number;
  /** Calls back once so many milliseconds are over, or a little earlier or later; returns what takes it back. */
  after(ms: number, callback: () => void): () => void;
}

const realClock: PaceClock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** As much as may begin at once: what is due in a tenth of a second. Timers are not exact enough for one at a time. */
const BURST_S = 0.1;

interface Waiter {
  readonly go: () => void;
  readonly fail: (reason: unknown) => void;
}

/**
 * Lets callers begin in the order in which they came, in no second more of them than the rate says: a sliding window
 * over when they really began, not over when they should have, so that nothing is made up for after a pause.
 */
export class Pace {
  readonly #clock: PaceClock;
  readonly #burst: number;
  readonly #windowMs: number;
  /** When the last `burst` began, as a ring; `#oldest` is the place of the first of them. */
  readonly #begun: number[] = [];
  #oldest = 0;
  readonly #waiting: Waiter[] = [];
  #unset: (() => void) | null = null;
  #ended: { readonly reason: unknown } | null = null;

  constructor({ perSecond }: Rate, clock: PaceClock = realClock) {
    this.#clock = clock;
    this.#burst = Math.max(1, Math.floor(perSecond * BURST_S));
    // Whole windows fill a second, so that no second holds more than it may.
    this.#windowMs = 1000 / (this.#burst === 1 ? perSecond : Math.floor(perSecond / this.#burst));
  }

  /** Resolves when the caller may begin. */
  turn(): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ go: resolve, fail: reject });
    if (this.#unset === null) this.#release();
    return promise;
  }

  /** Whoever waits, and whoever comes, gets this reason as its error. */
  end(reason: unknown): void {
    this.#ended ??= { reason };
    this.#unset?.();
    this.#unset = null;
    for (const { fail } of this.#waiting.splice(0)) fail(reason);
  }

  #release(): void {
    this.#unset = null;
    const now = this.#clock.now();
    let due = 0;
    while (due < this.#waiting.length && this.#freeAt() <= now) {
      this.#note(now);
      due++;
    }
    for (const { go } of this.#waiting.splice(0, due)) go();
    if (this.#waiting.length === 0) return;
    // A timer may be early; then it is set again.
    const ms = Math.min(Math.max(1, Math.ceil(this.#freeAt() - now)), LONGEST_TIMER_MS);
    this.#unset = this.#clock.after(ms, () => this.#release());
  }

  /** When the next may begin. */
  #freeAt(): number {
    if (this.#begun.length < this.#burst) return Number.NEGATIVE_INFINITY;
    return (this.#begun[this.#oldest] as number) + this.#windowMs;
  }

  #note(now: number): void {
    if (this.#begun.length < this.#burst) {
      this.#begun.push(now);
      return;
    }
    this.#begun[this.#oldest] = now;
    this.#oldest = (this.#oldest + 1) % this.#burst;
  }
}
