/** What is asked of tasks that a selector names: to stop, or to be claimable again. */
import type { TaskSelector, TaskState } from "../contract.ts";
import { cancelExpiredHolders, cancelOpen, lockGroupsOf, PAGE } from "./cancel.ts";
import { FORGOTTEN, KEY_IS_FREE, settleGroups } from "./groups.ts";
import { matches } from "./selector.ts";
import type { StateTransitions, Transitioned } from "./state-transitions.ts";
import { all, forUpdate, get, NOW, oneOf, type Procedure, raw, sql } from "./statement.ts";

/** Cancels waiting tasks and asks the holders of leased ones to stop, in a transaction; returns how many. */
export function* requestCancel(transitions: StateTransitions, selector: TaskSelector): Procedure<number> {
  const condition = matches(selector);
  yield* lockGroupsOf(sql`(${condition}) AND t.state IN ('waiting', 'leased')`, {
    single: selector.ids !== undefined,
  });
  let reached = yield* cancelOpen(transitions, condition);
  if (selector.flow === undefined) return reached;
  // A task that was just being settled may have stored what follows it, which a statement that began before does not see.
  const rest = sql`(${condition}) AND NOT t.cancel_requested`;
  const left = sql`SELECT 1 FROM pawl.task AS t WHERE ${rest} AND t.state IN ('waiting', 'leased') LIMIT 1`;
  while ((yield* get(left)) !== undefined) reached += yield* cancelOpen(transitions, rest);
  return reached;
}

interface Candidate extends Transitioned {
  readonly seq: number;
  readonly state: TaskState;
  readonly unique_key: string | null;
  /** The group whose callback it is, as long as that has not released it. */
  readonly callback_of: string | null;
}

/**
 * Makes tasks claimable, in a transaction; returns how many. One that is due already keeps its position among those that wait.
 * Callbacks are left to their groups, which are looked at again.
 */
export function* makeClaimable(transitions: StateTransitions, selector: TaskSelector): Procedure<number> {
  const stopped = sql`(${matches(selector)}) AND t.state IN ('waiting', 'dead', 'cancelled')`;
  let released = 0;
  const ended: string[] = [];
  transitions.wakes = true;
  yield* lockGroupsOf(stopped, { single: selector.ids !== undefined });
  for (let after = 0; ; ) {
    const page = yield* all<Candidate>(
      sql`SELECT t.seq, t.id, t.queue, t.fence, t.group_id, t.state, t.unique_key,
         (SELECT g.id FROM pawl.task_group AS g WHERE g.callback = t.id AND g.state <> 'released') AS callback_of
       FROM pawl.task AS t WHERE ${stopped} AND t.seq > ${after}
       ORDER BY t.seq LIMIT ${raw(String(PAGE))} ${forUpdate("t")}`,
    );
    const free = page.filter(({ callback_of }) => callback_of === null);
    released += yield* releaseAll(transitions, free);
    for (const { id, state, callback_of } of page) {
      if (callback_of === null) continue;
      transitions.group(callback_of).reopen = true;
      if (state !== "waiting") ended.push(id);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.seq;
  }
  if (ended.length === 0) return released;
  yield* settleGroups(transitions);
  const held = yield* all(sql`SELECT id FROM pawl.task WHERE id ${oneOf(ended)} AND state = 'waiting'`);
  return released + held.length;
}

function* releaseAll(transitions: StateTransitions, tasks: readonly Candidate[]): Procedure<number> {
  const chosen = firstOfEachKey(tasks);
  if (chosen.length === 0) return 0;
  yield* cancelExpiredHolders(transitions, wantedKeys(tasks));
  const rows = yield* all<{ seq: number }>(
    sql`UPDATE pawl.task AS t
     SET state = 'waiting', due = CASE WHEN due < ${NOW} THEN due ELSE ${NOW} END, ${FORGOTTEN}
     WHERE t.seq ${oneOf(chosen.map(({ seq }) => seq))} AND ${KEY_IS_FREE} RETURNING seq`,
  );
  const released = new Set(rows.map(({ seq }) => seq));
  for (const task of chosen) {
    if (!released.has(task.seq) || task.state === "waiting") continue;
    transitions.add(task, task.state, "waiting");
    if (task.group_id !== null) transitions.group(task.group_id).reopen = true;
  }
  return released.size;
}

/** The unique keys that these tasks held until they ended, and that none of them still holds. */
function wantedKeys(tasks: readonly Candidate[]): string[] {
  const held = new Set(
    tasks.flatMap(({ state, unique_key }) => (state === "waiting" ? (unique_key ?? []) : [])),
  );
  return tasks.flatMap(({ unique_key }) => (unique_key === null || held.has(unique_key) ? [] : [unique_key]));
}

/** Of several tasks that ended and have one unique key, only the first can be open again. */
function firstOfEachKey(tasks: readonly Candidate[]): Candidate[] {
  const keys = new Set<string>();
  return tasks.filter(({ state, unique_key }) => {
    if (state === "waiting" || unique_key === null) return true;
    if (keys.has(unique_key)) return false;
    keys.add(unique_key);
    return true;
  });
}
