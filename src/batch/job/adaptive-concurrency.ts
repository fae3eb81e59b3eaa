/** How many things are done at once if the job does not say: bounds and the first value. */
const LEAST = 1;
const FIRST = 8;
const MOST = 256;
/** A number is judged after it has been used up at least so many times, and for at least so long. */
const ROUNDS = 2;
const WINDOW_MS = 250;
/** A higher number must bring at least this factor of throughput, or each thing only waits longer. */
const WORTH = 1.05;
/** After so many windows without a change, a higher number is tried again: the other side may have recovered. */
const REST_WINDOWS = 8;

/**
 * Finds how many things to do at once. The number rises while throughput rises with it: by half until that stops, then
 * by an eighth (additive increase). When a rise brings nothing, it is taken back. An error of the other side halves the
 * number (multiplicative decrease), once for all that was under way then.
 */
export class AdaptiveConcurrency {
  readonly #now: () => number;
  #value = FIRST;
  #climbing = true;
  /** The throughput of the number before; null where there is none to compare with. */
  #before: { value: number; perMs: number } | null = null;
  #resting = 0;
  #windowBegan: number;
  #done = 0;
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#windowBegan = now();
  }

  get value(): number {
    return this.#value;
  }

  /** One thing was done while as many were under way as allowed: only then its time says something about that number. */
  done(weight = 1): void {
    this.#done += weight;
    const now = this.#now();
    const ms = now - this.#windowBegan;
    if (ms < WINDOW_MS || this.#done < this.#value * ROUNDS) return;
    this.#judge(this.#done / ms);
    this.#windowBegan = now;
    this.#done = 0;
  }

  /** Fewer were under way than allowed: the throughput says nothing about that number. */
  idle(): void {
    this.#windowBegan = this.#now();
    this.#done = 0;
  }

  /** The other side asked for less, of something that began at `beganAt`. */
  overloaded(beganAt: number): void {
    // Errors of what was under way when the number was halved have the same cause.
    if (beganAt <= this.#cutAt) return;
    this.#cutAt = this.#now();
    this.#value = Math.max(LEAST, Math.floor(this.#value / 2));
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
      this.#value = this.#before.value;
      this.#before = null;
      this.#climbing = false;
      this.#resting = REST_WINDOWS;
      return;
    }
    this.#before = { value: this.#value, perMs };
    const step = this.#climbing ? Math.ceil(this.#value / 2) : Math.max(1, Math.floor(this.#value / 8));
    this.#value = Math.min(MOST, this.#value + step);
  }
}
