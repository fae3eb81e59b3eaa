import { setTimeout as sleep } from "node:timers/promises";
import type { TaskStore } from "../../store/contract.ts";

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
    await rest(EVERY_MS * (0.5 + Math.random()), signal);
    try {
      while (!signal.aborted && (await store.prune(STEP)) >= STEP) await rest(PAUSE_MS, signal);
    } catch (error) {
      if (!signal.aborted) report(error);
    }
  }
}

/** Waits until the time is over or the signal aborts. Does not keep the process alive. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
}
