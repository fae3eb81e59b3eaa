import { setTimeout as sleep } from "node:timers/promises";
import { explain, isBusy } from "./failure.ts";

/** How long an operation waits for other processes before it gives up with a TransientError. */
const PATIENCE_MS = 15_000;

/**
 * How long SQLite itself may block the thread while another process writes. Short, because the event loop stands
 * still meanwhile; the rest of the patience is waited for without blocking.
 */
export const BLOCKING_MS = 10;

/**
 * Runs `attempt` until the file is not busy. SQLite's own waiting is unfair and blocks, and it does not cover the
 * moment when a fresh file is switched to write-ahead logging, so busy files are waited for here.
 */
export async function patiently<T>(attempt: () => T, location: string): Promise<T> {
  const giveUp = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUp) throw explain(error, location);
    }
    await sleep(1 + Math.random() * 15);
  }
}
