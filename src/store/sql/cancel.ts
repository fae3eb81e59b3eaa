/** How tasks are cancelled: those that a selector names, those that wait, and those that have expired. */
import type { TaskSelector, TaskState } from "../contract.ts";
import { matches } from "./selector.ts";
import type { StateTransitions, Transitioned } from "./state-transitions.ts";
import {
  all,
  forUpdate,
  get,
  HAS_EXPIRED,
  lock,
  lookup,
  NOW,
  oneOf,
  type Procedure,
  raw,
  type Sql,
  sql,
  TRANSITIONED,
} from "./statement.ts";

/** How many tasks are read together, so that a million of them are never in memory at once. */
export const PAGE = 5_000;

/** The SET of a task that is settled. */
export const SETTLED = sql`settled_at = ${NOW}, prune_at = ${NOW} + retention_ms`;

/**
 * Locks the groups of the tasks `t` that a condition names, before the tasks themselves: see `lockGroups`. Sent along with
 * the next statement. Where the condition names single tasks, those are looked up; otherwise the children of all groups
 * are read.
 */
export function* lockGroupsOf(condition: Sql, { single }: { readonly single: boolean }): Procedure<void> {
  const children = raw(single ? "true" : "t.group_id IS NOT NULL");
  yield* lock(
    () => sql`SELECT g.id FROM pawl.task_group AS g
     WHERE g.id = ANY(ARRAY(SELECT t.group_id FROM pawl.task AS t WHERE ${children} AND ${condition}))
     ORDER BY g.id FOR UPDATE`,
  );
}

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

/**
 * Cancels the waiting tasks that a condition names and asks the holders of leased ones to stop, in a transaction;
 * returns how many. One statement for both states, because a task may come from one to the other at this moment.
 */
export function* cancelOpen(transitions: StateTransitions, condition: Sql): Procedure<number> {
  let reached = 0;
  for (let last = 0; ; ) {
    const page = yield* all<Transitioned & { readonly seq: number; readonly state: TaskState }>(
      sql`WITH open AS MATERIALIZED (
         SELECT t.seq AS open_seq FROM pawl.task AS t
         WHERE (${condition}) AND t.state IN ('waiting', 'leased') AND t.seq > ${last}
         ORDER BY t.seq LIMIT ${raw(String(PAGE))} ${forUpdate()})
       UPDATE pawl.task AS t SET cancel_requested = true, due = NULL,
         state = CASE state WHEN 'waiting' THEN 'cancelled' ELSE state END,
         settled_at = CASE state WHEN 'waiting' THEN ${NOW} END,
         prune_at = CASE state WHEN 'waiting' THEN ${NOW} + retention_ms END
       FROM open WHERE ${lookup("t.seq", "open.open_seq")} RETURNING ${TRANSITIONED}, state`,
    );
    reached += page.length;
    const cancelled = page.filter(({ state }) => state === "cancelled");
    yield* countCancelled(transitions, cancelled);
    for (const { seq } of page) last = Math.max(last, seq);
    if (page.length < PAGE) return reached;
  }
}

/** Cancels the waiting tasks that a condition names, in a transaction; returns how many. */
export function* cancelWaiting(transitions: StateTransitions, condition: Sql): Procedure<number> {
  let total = 0;
  for (;;) {
    const cancelled = yield* cancelSome(transitions, raw("cancel_requested = true"), condition);
    total += cancelled;
    if (cancelled < PAGE) return total;
  }
}

const EXPIRED = raw("error = 'expired'");

/** Cancels what has expired, in a transaction; as much as fits into a short one, the rest is for the next. */
export function* cancelExpired(transitions: StateTransitions): Procedure<void> {
  yield* cancelSome(transitions, EXPIRED, sql`${HAS_EXPIRED}`);
}

/**
 * Cancels, in a transaction, what has expired and still holds one of these unique keys because no sweep has found it yet:
 * it must not keep another one from being stored.
 */
export function* cancelExpiredHolders(
  transitions: StateTransitions,
  keys: readonly string[],
): Procedure<void> {
  if (keys.length === 0) return;
  const holds = sql`${(dialect, bind) => dialect.holdsKey(keys, bind)} AND ${HAS_EXPIRED}`;
  yield* cancelSome(transitions, EXPIRED, holds);
}

function* cancelSome(transitions: StateTransitions, set: Sql, condition: Sql): Procedure<number> {
  const tasks = yield* all<Transitioned>(
    sql`WITH open AS MATERIALIZED (
       SELECT t.seq AS open_seq FROM pawl.task AS t WHERE ${condition} AND t.state = 'waiting'
       LIMIT ${raw(String(PAGE))} ${forUpdate()})
     UPDATE pawl.task AS t SET state = 'cancelled', due = NULL, ${set}, ${SETTLED}
     FROM open WHERE ${lookup("t.seq", "open.open_seq")} RETURNING ${TRANSITIONED}`,
  );
  yield* countCancelled(transitions, tasks);
  return tasks.length;
}

function* countCancelled(transitions: StateTransitions, tasks: readonly Transitioned[]): Procedure<void> {
  if (tasks.length === 0) return;
  for (const task of tasks) transitions.add(task, "waiting", "cancelled");
  // A group fails when its callback ends before it was released.
  const groups = yield* all<{ id: string }>(
    sql`SELECT id FROM pawl.task_group WHERE callback ${oneOf(tasks.map(({ id }) => id))} AND state = 'open'`,
  );
  for (const { id } of groups) transitions.group(id).callbackEnded = true;
}
