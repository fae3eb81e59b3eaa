import type { TaskSelector, TaskStore } from "../store/contract.ts";
import { isDead } from "./worker-id.ts";

/**
 * Takes back what nobody works on any more: leases that have run out, and at once those of workers of this machine
 * whose process is gone. A process that starts calls this before it decides whether its work is running elsewhere.
 */
export async function takeOver(
  store: TaskStore,
  queues: readonly string[],
  poisonAfter: number,
): Promise<{ expired: string[]; poisoned: string[] }> {
  const holders = new Set<string>();
  for (const queue of new Set(queues)) {
    for (const task of await store.query({ queue, states: ["leased"] })) {
      if (task.worker !== null) holders.add(task.worker);
    }
  }
  return await store.sweep({ deadWorkers: [...holders].filter(isDead), poisonAfter });
}

/** The workers that hold leases on the selected tasks and are not known to be dead. */
export async function liveWorkers(store: TaskStore, selector: TaskSelector): Promise<string[]> {
  const workers = new Set<string>();
  for (const task of await store.query({ ...selector, states: ["leased"] })) {
    if (task.worker !== null && !isDead(task.worker)) workers.add(task.worker);
  }
  return [...workers];
}
