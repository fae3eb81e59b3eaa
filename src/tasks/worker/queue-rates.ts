import { assertMethods } from "../../arguments.ts";
import type { TaskStore } from "../../store/contract.ts";

/** Queues that begin so belong to the floor above, one for each run. */
export const RUN_QUEUES = "run/";

/** A worker that was not heard of for so long does not count. */
const SPEAKS_MS = 30_000;

/** How many tasks of each queue ended in the last minute, as the workers say. */
export async function queueRates(store: TaskStore): Promise<ReadonlyMap<string, number>> {
  assertMethods(store, "workers", "queueRates needs an open store");
  const rates = new Map<string, number>();
  for (const worker of await store.workers(SPEAKS_MS)) {
    for (const [queue, ended] of Object.entries(worker.rates)) {
      rates.set(queue, (rates.get(queue) ?? 0) + ended);
    }
  }
  return rates;
}
