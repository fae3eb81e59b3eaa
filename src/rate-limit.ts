import { after, LONGEST_TIMER_MS, type Timer } from "./timers.ts";

/** How often something may begin. */
export interface Rate {
  /** 0.5 is once in two seconds. */
  readonly perSecond: number;
}

/** Time, as far as a rate limiter needs it; tests move it by hand. */
export interface RateClock {
  /** Milliseconds that only ever go forward. */
  now(): number;
  /** Calls back once so many milliseconds are over, or a little earlier or later. */
  after(ms: number, callback: () => void): Timer;
}

const realClock: RateClock = { now: () => performance.now(), after };

/** How starts are spaced: `burst` of them may come at once after a rest, and then one each `intervalMs`. */
export interface Spacing {
  readonly intervalMs: number;
  readonly burst: number;
}

// The generic cell rate algorithm (ITU-T I.371, annex A): each start uses one interval, and up to `burst` intervals may be used
// ahead of the present. What is used ahead, `aheadMs` milliseconds, passes with time.

/** What was added up from fractions may be a little more than it should be. */
const ROUNDING_MS = 1e-6;

/** Whole milliseconds until one more may begin; 0 now. */
export function waitMs({ intervalMs, burst }: Spacing, aheadMs: number): number {
  return Math.max(0, Math.ceil(aheadMs - Math.max(0, burst - 1) * intervalMs - ROUNDING_MS));
}

/** How many may begin now. */
export function startsAllowed({ intervalMs, burst }: Spacing, aheadMs: number): number {
  return Math.floor(burst - aheadMs / intervalMs + 1e-9);
}

/** What is used ahead once so many more have begun. */
export function aheadMsAfter({ intervalMs }: Spacing, aheadMs: number, starts: number): number {
  return aheadMs + starts * intervalMs;
}

/**
 * How starts are spaced so that no window of `periodMs` holds more than `n` of them, wherever it begins. A generic cell
 * rate algorithm lets `burst + t / intervalMs` starts through in any time `t`, so the interval is a little longer than
 * the period over `n`.
 *
 * @param burst the part of `n` that may come at once after a rest
 */
export function strictSpacing(n: number, periodMs: number, burst: number): Spacing {
  const atOnce = Math.max(1, Math.ceil(n * burst));
  return { intervalMs: periodMs / (n < 1 ? n : n - atOnce + 1), burst: atOnce };
}

/** The part of a second that may come at once: timers are not exact enough for one start at a time. */
const STRICT_BURST = 0.02;
const AVERAGE_BURST = 0.1;

/** No second holds more than the rate; its average is up to 2 % below. */
export function atMost({ perSecond }: Rate): Spacing {
  return strictSpacing(perSecond, 1000, STRICT_BURST);
}

/** The average is the rate; a second after a rest may hold a tenth more. */
export function onAverage({ perSecond }: Rate): Spacing {
  return { intervalMs: 1000 / perSecond, burst: perSecond * AVERAGE_BURST };
}

interface Waiter {
  readonly amount: number;
  readonly admit: () => void;
  readonly fail: (reason: unknown) => void;
}

/**
 * Lets callers begin in the order in which they came, spaced as told. The spacing is
 * between the times at which they really began, so that nothing is made up for after a pause.
 */
export class RateLimiter {
  readonly #clock: RateClock;
  readonly #spacing: Spacing;
  /** Until when the rate is used. */
  #usedUntilMs = Number.NEGATIVE_INFINITY;
  readonly #waiting: Waiter[] = [];
  #timer: Timer | null = null;
  #ended: { readonly reason: unknown } | null = null;

  constructor(spacing: Spacing, clock: RateClock = realClock) {
    this.#clock = clock;
    this.#spacing = spacing;
  }

  /**
   * Resolves when the caller may begin. Rejects with the reason of `signal`, or with that of `end`.
   *
   * @param amount what it counts for, such as bytes where the rate is one of bytes; what is more than a burst makes those
   *   behind it wait longer
   */
  turn(amount = 1, signal?: AbortSignal): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { amount, admit: resolve, fail: reject };
    this.#waiting.push(waiter);
    if (signal !== undefined) this.#leaveOn(signal, waiter, promise);
    if (this.#timer === null) this.#admit();
    return promise;
  }

  /** Those that wait, and those that come later, get this reason as their error. */
  end(reason: unknown): void {
    this.#ended ??= { reason };
    this.#timer?.cancel();
    this.#timer = null;
    for (const { fail } of this.#waiting.splice(0)) fail(reason);
  }

  #leaveOn(signal: AbortSignal, waiter: Waiter, promise: Promise<void>): void {
    const leave = () => {
      const at = this.#waiting.indexOf(waiter);
      if (at >= 0) this.#waiting.splice(at, 1);
      waiter.fail(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    const forget = () => signal.removeEventListener("abort", leave);
    promise.then(forget, forget);
  }

  #admit(): void {
    this.#timer = null;
    const now = this.#clock.now();
    let aheadMs = Math.max(0, this.#usedUntilMs - now);
    let due = 0;
    for (const { amount } of this.#waiting) {
      if (waitMs(this.#spacing, aheadMs) > 0) break;
      aheadMs = aheadMsAfter(this.#spacing, aheadMs, amount);
      this.#usedUntilMs = now + aheadMs;
      due++;
    }
    for (const { admit } of this.#waiting.splice(0, due)) admit();
    if (this.#waiting.length === 0) return;
    // A timer may be early; then it is set again.
    const ms = Math.min(waitMs(this.#spacing, aheadMs), LONGEST_TIMER_MS);
    this.#timer = this.#clock.after(ms, () => this.#admit());
  }
}
