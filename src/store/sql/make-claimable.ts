import type { TaskSelector, TaskState } from "../contract.ts";
import { cancelExpiredHolders, lockGroupsOf, PAGE } from "./cancel.ts";
import { FORGOTTEN, KEY_IS_FREE, settleGroups } from "./groups.ts";
import { matches } from "./selector.ts";
import type { StateTransitions, Transitioned } from "./state-transitions.ts";
import { all, forUpdate, NOW, oneOf, type Procedure, raw, sql } from "./statement.ts";

interface Stopped extends Transitioned {
  readonly seq: number;
  readonly state: TaskState;
  readonly unique_key: string | null;
  /** The group whose callback it is, as long as that has not released it. */
  readonly callback_of: string | null;
}

/**
 * Makes tasks claimable, in a transaction; returns how many. A task that is due already keeps its position in the order of claims.
 * A callback is left to its group, which is opened again if it can be.
 */
export function* makeClaimable(transitions: StateTransitions, selector: TaskSelector): Procedure<number> {
  const condition = sql`(${matches(selector)}) AND t.state IN ('waiting', 'dead', 'cancelled')`;
  let made = 0;
  const ended: string[] = [];
  transitions.wakes = true;
  yield* lockGroupsOf(condition, { single: selector.ids !== undefined });
  for (let after = 0; ; ) {
    const page = yield* all<Stopped>(
      sql`SELECT t.seq, t.id, t.queue, t.fence, t.group_id, t.state, t.unique_key,
         (SELECT g.id FROM pawl.task_group AS g WHERE g.callback = t.id AND g.state <> 'released') AS callback_of
       FROM pawl.task AS t WHERE ${condition} AND t.seq > ${after}
       ORDER BY t.seq LIMIT ${raw(String(PAGE))} ${forUpdate("t")}`,
    );
    const free = page.filter(({ callback_of }) => callback_of === null);
    made += yield* makeAllClaimable(transitions, free);
    for (const { id, state, callback_of } of page) {
      if (callback_of === null) continue;
      transitions.group(callback_of).reopen = true;
      if (state !== "waiting") ended.push(id);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.seq;
  }
  if (ended.length === 0) return made;
  yield* settleGroups(transitions);
  const held = yield* all(sql`SELECT id FROM pawl.task WHERE id ${oneOf(ended)} AND state = 'waiting'`);
  return made + held.length;
}

function* makeAllClaimable(transitions: StateTransitions, tasks: readonly Stopped[]): Procedure<number> {
  const chosen = firstOfEachKey(tasks);
  if (chosen.length === 0) return 0;
  yield* cancelExpiredHolders(transitions, wantedKeys(tasks));
  const rows = yield* all<{ seq: number }>(
    sql`UPDATE pawl.task AS t
     SET state = 'waiting', due = CASE WHEN due < ${NOW} THEN due ELSE ${NOW} END, ${FORGOTTEN}
     WHERE t.seq ${oneOf(chosen.map(({ seq }) => seq))} AND ${KEY_IS_FREE} RETURNING seq`,
  );
  const changed = new Set(rows.map(({ seq }) => seq));
  for (const task of chosen) {
    if (!changed.has(task.seq) || task.state === "waiting") continue;
    transitions.add(task, task.state, "waiting");
    if (task.group_id !== null) transitions.group(task.group_id).reopen = true;
  }
  return changed.size;
}

/** The unique keys that these tasks held until they ended, and that none of them still holds. */
function wantedKeys(tasks: readonly Stopped[]): string[] {
  const held = new Set(
    tasks.flatMap(({ state, unique_key }) => (state === "waiting" ? (unique_key ?? []) : [])),
  );
  return tasks.flatMap(({ unique_key }) => (unique_key === null || held.has(unique_key) ? [] : [unique_key]));
}

/** Of several tasks that ended and have one unique key, only the first can be open again. */
function firstOfEachKey(tasks: readonly Stopped[]): Stopped[] {
  const keys = new Set<string>();
  return tasks.filter(({ state, unique_key }) => {
    if (state === "waiting" || unique_key === null) return true;
    if (keys.has(unique_key)) return false;
    keys.add(unique_key);
    return true;
  });
}
