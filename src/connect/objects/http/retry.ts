import { setTimeout as sleep } from "node:timers/promises";
import { askedToWait, isPassing } from "../passing.ts";

export const TRIES = 6;
const FIRST_MS = 200;
/** Nobody waits longer between two tries, whatever a server asks for: the run waits with it. */
const LONGEST_MS = 60_000;

/** Tries again what may pass, with growing pauses or those the other side asks for. `onTrouble` hears of each failed try. */
export async function retried<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  onTrouble: (error: unknown) => void = () => {},
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || signal.aborted) throw error;
      onTrouble(error);
      if (tried >= TRIES) throw error;
      await sleep(pauseMs(tried, error), undefined, { signal });
    }
  }
}

/** How long to wait after so many tries have failed, the latest by this error. */
export function pauseMs(tried: number, error: unknown): number {
  // Shorter in tests of what does not pass.
  const first = Number(process.env.PAWL_PAUSE_MS ?? FIRST_MS);
  const grown = first * 2 ** (tried - 1) * (0.5 + Math.random() / 2);
  return Math.min(LONGEST_MS, Math.max(askedToWait(error) ?? 0, grown));
}
