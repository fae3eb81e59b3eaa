import type { AttemptRecord, GroupRecord, Store, TaskRecord } from "../../../src/store/index.ts";
import type { Entry } from "./history.ts";
import { QUEUES } from "./work.ts";

/** All that is known when a run is over: what the processes wrote, and what the store holds. */
export interface Facts {
  readonly entries: readonly Entry[];
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  /** Of each task that was ever begun, first to last. */
  readonly attempts: ReadonlyMap<string, readonly AttemptRecord[]>;
  readonly groups: ReadonlyMap<string, GroupRecord>;
  /** How processes ended that no fault had ended. */
  readonly deaths: readonly string[];
  /** Crashes after which a task is poison. */
  readonly poisonAfter: number;
  /** Whether the store's wall clock went evenly. */
  readonly steadyClock: boolean;
}

const PAGE = 2_000;
const AT_ONCE = 25;

/** Reads everything that a store holds. */
export async function readStore(store: Store): Promise<Pick<Facts, "tasks" | "attempts" | "groups">> {
  const tasks = new Map<string, TaskRecord>();
  for (const queue of QUEUES) {
    for (let after: string | undefined; ; ) {
      const page = await store.query(
        { queue },
        after === undefined ? { limit: PAGE } : { limit: PAGE, after },
      );
      for (const task of page) tasks.set(task.id, task);
      if (page.length < PAGE) break;
      after = page.at(-1)?.id;
    }
  }
  const begun = tasks.values().filter(({ fence }) => fence > 0);
  const attempts = await each([...begun], async ({ id }) => [id, await store.attempts(id)] as const);
  const ids = new Set(tasks.values().flatMap(({ childOf }) => (childOf === null ? [] : [childOf.group])));
  const groups = await each([...ids], async (id) => [id, await store.group(id)] as const);
  return {
    tasks,
    attempts: new Map(attempts),
    groups: new Map(groups.flatMap(([id, group]) => (group === undefined ? [] : [[id, group] as const]))),
  };
}

async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  }
  return results;
}
