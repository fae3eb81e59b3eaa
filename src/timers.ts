import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that setTimeout can hold; it takes more for 1. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A timer that can be taken back. */
export interface Timer {
  cancel(): void;
}

/** Calls back once so many milliseconds are over, however many that are; never after Infinity of them. */
export function after(ms: number, callback: () => void): Timer {
  let left = ms;
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    const piece = Math.min(left, LONGEST_TIMER_MS);
    left -= piece;
    timer = setTimeout(() => (left > 0 ? wait() : callback()), piece);
  };
  if (ms !== Number.POSITIVE_INFINITY) wait();
  return { cancel: () => clearTimeout(timer) };
}

/** Waits until the time is over or the signal aborts. Does not keep the process alive. */
export async function idle(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
}

/** What the promise gives; once the time is over, what `late` gives, which may throw. */
export async function withTimeout<T, L>(promise: PromiseLike<T>, ms: number, late: () => L): Promise<T | L> {
  const over = Promise.withResolvers<L>();
  const timer = after(ms, () => {
    try {
      over.resolve(late());
    } catch (error) {
      over.reject(error);
    }
  });
  try {
    return await Promise.race([promise, over.promise]);
  } finally {
    timer.cancel();
  }
}

/**
 * What the promise gives, unless a signal aborts first: then it rejects with the signal's reason, and the promise's result
 * is not used. For code that may ignore the signal it was given.
 */
export async function orAborted<T>(
  promise: PromiseLike<T> | T,
  ...signals: readonly AbortSignal[]
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const listening = signals.map((signal) => {
    const abort = () => aborted.reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    return { signal, abort };
  });
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    for (const { signal, abort } of listening) signal.removeEventListener("abort", abort);
  }
}
