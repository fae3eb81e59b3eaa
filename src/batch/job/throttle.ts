import { setTimeout as sleep } from "node:timers/promises";
import { orAborted } from "../abort.ts";

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
 * Waits while any throttle gives a reason. `show` is called with the reasons when they change, and with null once the wait is over. Throws the signal's reason when it aborts.
 */
export async function waitForThrottles(
  throttles: readonly Throttle[],
  signal: AbortSignal,
  show: (reason: string | null) => Promise<void>,
): Promise<void> {
  let shown: string | null = null;
  for (;;) {
    const reason = throttles.length > 0 ? await orAborted(reasons(throttles, signal), signal) : null;
    if (reason !== shown) await show(reason);
    shown = reason;
    if (reason === null) return;
    await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
