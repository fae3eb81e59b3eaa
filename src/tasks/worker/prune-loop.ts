import type { TaskStore } from "../../store/contract.ts";
import { idle } from "../../timers.ts";

/** Tasks that are removed in one step, and the pause between steps that leaves the store to others. */
const STEP = 500;
const PAUSE_MS = 50;
const EVERY_MS = 30_000;

/** Removes tasks whose retention is over, in small steps, from time to time, until the signal aborts. */
export async function prune(
  store: TaskStore,
  signal: AbortSignal,
  report: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    // A random pause, so that workers that were started together do not prune together.
    await idle(EVERY_MS * (0.5 + Math.random()), signal);
    try {
      while (!signal.aborted && (await store.prune(STEP)) >= STEP) await idle(PAUSE_MS, signal);
    } catch (error) {
      if (!signal.aborted) report(error);
    }
  }
}
