import type { Store } from "../../../src/store/index.ts";
import { type History, monotonicMs } from "./history.ts";

type Call = (...args: never[]) => unknown;

/** A store that writes down what is asked of it and what it answers. */
export function recording(store: Store, history: History): Store {
  let calls = 0;
  const written: Partial<Store> = {
    async claim(request) {
      const since = monotonicMs();
      const claims = await store.claim(request);
      if (claims.length > 0) {
        history.write({ what: "claimed", since, claims: claims.map(({ id, fence }) => [id, fence]) });
      }
      return claims;
    },
    async settle(settlements) {
      const call = calls++;
      const asked = settlements.map(({ id, fence, result }) => ({ id, fence, result: result.state }));
      history.write({ what: "settling", call, settlements: asked });
      try {
        const result = await store.settle(settlements);
        history.write({ what: "settled", call, lost: result.lost });
        return result;
      } catch (error) {
        history.write({ what: "unsettled", call, error: String(error) });
        throw error;
      }
    },
    async progress(reports) {
      const since = monotonicMs();
      const result = await store.progress(reports);
      for (const { id, fence } of reports) {
        if (!result.lost.includes(id)) history.write({ what: "progressed", since, id, fence });
      }
      return result;
    },
    async enqueue(tasks, options) {
      const since = monotonicMs();
      const ids = await store.enqueue(tasks, options);
      history.write({ what: "enqueued", since, ids });
      return ids;
    },
    async fireSchedule(schedule, version, next, tasks) {
      const fired = await store.fireSchedule(schedule, version, next, tasks);
      if (fired) history.write({ what: "ticked", schedule, ids: tasks.map(({ id }) => id) });
      return fired;
    },
  };
  return overlaid(store, written);
}

/** A store some of whose operations are others. */
export function overlaid(store: Store, operations: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const other: unknown = Reflect.get(operations, name);
      if (other !== undefined) return other;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value as Call).bind(target) : value;
    },
  });
}
