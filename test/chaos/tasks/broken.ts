import type { Store } from "../../../src/store/index.ts";
import { overlaid } from "./recording.ts";

/** Names what a worker's store does wrong, to see whether the checker notices. */
export const BROKEN = "CHAOS_BROKEN";

/**
 * - `fence`: who has lost a task settles it all the same
 * - `acknowledgement`: every now and then tasks are said to be stored, and are not
 * - `settlement`: every now and then it is said to be stored how a task ended, and it is not
 * - `tick`: a schedule fires for everybody who finds it due
 * - `rate`: ten times as many tasks of a bucket begin
 * - `group`: the callback of a group may be claimed before its children have ended
 */
export type Break = "fence" | "acknowledgement" | "settlement" | "tick" | "rate" | "group";

const breaks: Readonly<Record<Break, (store: Store) => Partial<Store>>> = {
  fence: (store) => ({
    async settle(settlements) {
      const { lost } = await store.settle(settlements);
      for (const settlement of settlements.filter(({ id }) => lost.includes(id))) {
        const [task] = await store.query({ ids: [settlement.id] });
        if (task !== undefined) await store.settle([{ ...settlement, fence: task.fence }]);
      }
      return { lost: [] };
    },
  }),
  acknowledgement: (store) => {
    let calls = 0;
    return {
      async enqueue(tasks, options) {
        return ++calls % 10 === 0 ? tasks.map(({ id }) => id) : await store.enqueue(tasks, options);
      },
    };
  },
  settlement: (store) => {
    let calls = 0;
    return {
      async settle(settlements) {
        return ++calls % 20 === 0 ? { lost: [] } : await store.settle(settlements);
      },
    };
  },
  tick: (store) => ({
    async fireSchedule(...args) {
      await store.fireSchedule(...args);
      return true;
    },
  }),
  rate: (store) => ({
    claim({ buckets = [], ...request }) {
      const faster = buckets.map(({ bucket, intervalMs, burst }) => ({
        bucket,
        intervalMs: intervalMs / 10,
        burst: burst * 10,
      }));
      return store.claim({ ...request, buckets: faster });
    },
  }),
  group: (store) => ({
    async enqueue(tasks, options = {}) {
      const callbacks = new Set(options.groups?.map(({ callback }) => callback));
      const free = tasks.map((task) => (callbacks.has(task.id) ? { ...task, held: false } : task));
      return await store.enqueue(free, options);
    },
  }),
};

/** The store as it is, or broken as the environment says. */
export function perhapsBroken(store: Store): Store {
  const name = process.env[BROKEN] as Break | undefined;
  return name === undefined ? store : overlaid(store, breaks[name](store));
}
