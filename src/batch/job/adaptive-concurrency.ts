/** How many things are done at once, where nobody has said: bounds and the first guess. */
const LEAST = 1;
const FIRST = 8;
const MOST = 256;
/** A level is judged by at least so many rounds of it, for at least so long. */
const ROUNDS = 2;
const WINDOW_MS = 250;
/** More at once must bring at least this much more done a second, or it only makes each wait longer. */
const WORTH = 1.05;
/** After so many windows at rest, a higher level is tried again: the other side may have recovered. */
const REST_WINDOWS = 8;

/**
 * Finds how many things to do at once. It rises while more at once gets more done: by half until that stops, then
 * step by step (additive increase); when more brings nothing, waiting only gets longer, and it goes back a step. A
 * complaint of the other side halves it (multiplicative decrease), once for all that was under way then.
 */
export class AdaptiveConcurrency {
  readonly #now: () => number;
  #level = FIRST;
  #climbing = true;
  /** The throughput that the level before brought; null where there is none to compare with. */
  #before: { level: number; perMs: number } | null = null;
  #resting = 0;
  #windowBegan: number;
  #done = 0;
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#windowBegan = now();
  }

  get value(): number {
    return this.#level;
  }

  /** One thing was done while as many were under way as the level allows; otherwise it says nothing about the level. */
  done(weight = 1): void {
    this.#done += weight;
    const now = this.#now();
    const ms = now - this.#windowBegan;
    if (ms < WINDOW_MS || this.#done < this.#level * ROUNDS) return;
    this.#judge(this.#done / ms);
    this.#windowBegan = now;
    this.#done = 0;
  }

  /** Fewer were under way than allowed: what is measured now is not what the level can do. */
  idle(): void {
    this.#windowBegan = this.#now();
    this.#done = 0;
  }

  /** The other side asked for less, of something that began at `beganAt`. */
  trouble(beganAt: number): void {
    // All that was under way at the cut complains of the same thing.
    if (beganAt <= this.#cutAt) return;
    this.#cutAt = this.#now();
    this.#level = Math.max(LEAST, Math.floor(this.#level / 2));
    this.#climbing = false;
    this.#before = null;
    this.#resting = 0;
    this.idle();
  }

  #judge(perMs: number): void {
    if (this.#resting > 0) {
      this.#resting--;
      if (this.#resting > 0) return;
      this.#before = null;
    }
    if (this.#before !== null && perMs < this.#before.perMs * WORTH) {
      this.#level = this.#before.level;
      this.#before = null;
      this.#climbing = false;
      this.#resting = REST_WINDOWS;
      return;
    }
    this.#before = { level: this.#level, perMs };
    const step = this.#climbing ? Math.ceil(this.#level / 2) : Math.max(1, Math.floor(this.#level / 8));
    this.#level = Math.min(MOST, this.#level + step);
  }
}
