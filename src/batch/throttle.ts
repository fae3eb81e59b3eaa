import { setTimeout as sleep } from "node:timers/promises";

/** Says why the work should wait now, in a few words for people, or null when it need not. */
export type Throttle = (signal: AbortSignal) => string | null | Promise<string | null>;

const ASK_AGAIN_MS = 1000;

/** All reasons that hold now, joined; null when none does. */
async function reasons(throttles: readonly Throttle[], signal: AbortSignal): Promise<string | null> {
  const given = await Promise.all(throttles.map((throttle) => throttle(signal)));
  const holding = given.filter((reason) => reason !== null);
  return holding.length > 0 ? holding.join("; ") : null;
}

/**
 * Waits while any throttle gives a reason, and returns how many milliseconds that took. `show` is called with the
 * reasons when they change, and with null once the wait is over. `goOn` is asked between two looks: false ends it.
 */
export async function waitForThrottles(
  throttles: readonly Throttle[],
  signal: AbortSignal,
  show: (reason: string | null) => Promise<void>,
  goOn: () => Promise<boolean>,
): Promise<number> {
  const began = performance.now();
  let shown: string | null = null;
  for (;;) {
    const reason = throttles.length > 0 ? await reasons(throttles, signal) : null;
    if (reason !== shown) await show(reason);
    shown = reason;
    if (reason === null || !(await goOn())) return performance.now() - began;
    await sleep(ASK_AGAIN_MS, undefined, { signal });
  }
}
