import type { NewGroup, NewTask } from "../contract.ts";
import { assertStorable } from "../storable.ts";
import { cancelExpiredHolders, cancelWaiting } from "./cancel.ts";
import type { Driver } from "./driver.ts";
import { addGroups, lockGroups, noSuchGroup } from "./groups.ts";
import type { StateTransitions } from "./state-transitions.ts";
import { type Procedure, sql } from "./statement.ts";

/**
 * Stores tasks and groups that are new, in a transaction; returns the ids of those tasks. A task whose id or unique key is taken is left
 * out (`insertTasks` of the drivers); which task stands for it then is told in tasks/client/unique.ts.
 */
export function* enqueue<T extends StateTransitions>(
  transitions: T,
  driver: Pick<Driver<T>, "insertTasks">,
  tasks: readonly NewTask[],
  groups: readonly NewGroup[],
): Procedure<string[]> {
  assertStorable(tasks, groups);
  const keys: string[] = [];
  const parents = new Set<string>();
  for (const { unique, childOf } of tasks) {
    if (unique !== undefined) keys.push(unique);
    if (childOf !== undefined) parents.add(childOf.group);
  }
  const states = parents.size === 0 ? new Map() : yield* lockGroups([...parents]);
  for (const { id } of groups) if (!states.has(id)) states.set(id, "open");
  for (const id of parents) if (!states.has(id)) throw noSuchGroup(id, transitions.location);
  if (keys.length > 0) yield* cancelExpiredHolders(transitions, keys);
  const added = yield* driver.insertTasks(transitions, tasks);
  if (groups.length > 0) yield* addGroups(transitions, groups);
  // Children that come when their group has failed already are cancelled like those that were there.
  for (const id of parents) {
    if (states.get(id) === "failed") yield* cancelWaiting(transitions, sql`t.group_id = ${id}`);
  }
  transitions.wakes = true;
  return added;
}
