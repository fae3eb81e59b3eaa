import { assertMethods } from "../../arguments.ts";
import type { TaskSelector, TaskStore } from "../../store/contract.ts";
import { isDead } from "./worker-id.ts";

/** The store removes workers whose latest heartbeat is older than this; they hold no leases. */
const REMEMBERED_MS = 7 * 86_400_000;

/**
 * Takes back what no worker works on any more: leases that have run out, and at once those of workers of this machine
 * whose process is gone. A process that starts calls this before it decides whether its work is running elsewhere.
 */
export async function rescueOrphans(
  store: TaskStore,
  poisonAfter: number,
): Promise<{ expired: string[]; poisoned: string[] }> {
  assertMethods(store, "workers", "rescueOrphans needs an open store");
  const workers = await store.workers(REMEMBERED_MS);
  const deadWorkers = workers.map(({ id }) => id).filter(isDead);
  const taken = await store.sweep({ deadWorkers, poisonAfter });
  // Dead workers hold no leases from here on.
  for (const worker of deadWorkers) await store.removeWorker(worker);
  return taken;
}

/** The workers that hold leases on the selected tasks and are not known to be dead. */
export async function liveWorkers(store: TaskStore, selector: TaskSelector): Promise<string[]> {
  assertMethods(store, "query", "liveWorkers needs an open store");
  const workers = new Set<string>();
  for (const task of await store.query({ ...selector, states: ["leased"] })) {
    if (task.worker !== null && !isDead(task.worker)) workers.add(task.worker);
  }
  return [...workers];
}
