import type { TaskSelector } from "../contract.ts";
import { lockGroupsOf } from "./groups.ts";
import { ENDED, type Ended, type Moves } from "./moves.ts";
import { where } from "./selector.ts";
import type { Value } from "./session.ts";
import { sought } from "./sought.ts";
import { texts } from "./values.ts";

/** How many tasks are looked at together, so that a million of them do not stand in memory. */
const PAGE = 5_000;

/** Cancels waiting tasks and asks the holders of leased ones, in a transaction. */
export async function requestCancel(moves: Moves, selector: TaskSelector): Promise<number> {
  const { sql, values } = where(selector);
  lockGroupsOf(moves.session, `(${sql}) AND state IN ('waiting', 'leased')`, values, {
    single: selector.ids !== undefined,
  });
  let reached = await cancelOpen(moves, sql, values);
  if (selector.flow === undefined) return reached;
  // Who was just being settled may have stored what follows him, which a statement that began before does not see.
  const rest = `(${sql}) AND NOT cancel_requested`;
  const left = `SELECT FROM pawl.task WHERE ${rest} AND state IN ('waiting', 'leased') LIMIT 1`;
  while ((await moves.session.get(left, values)) !== undefined)
    reached += await cancelOpen(moves, rest, values);
  return reached;
}

/**
 * The same for the tasks that a condition names; returns how many. One statement for both states, because a task may
 * come from one to the other at this moment.
 */
export async function cancelOpen(moves: Moves, condition: string, values: readonly Value[]): Promise<number> {
  const after = `$${values.length + 1}`;
  let reached = 0;
  for (let last = 0; ; ) {
    const page = await moves.session.all<Ended & { was: "waiting" | "leased" }>(
      `WITH open AS MATERIALIZED (
         SELECT t.seq, t.state FROM pawl.task AS t
         WHERE (${condition}) AND t.state IN ('waiting', 'leased') AND t.seq > ${after}
         ORDER BY t.seq LIMIT ${PAGE} FOR UPDATE)
       UPDATE pawl.task AS t SET cancel_requested = true, due = NULL,
         state = CASE open.state WHEN 'waiting' THEN 'cancelled' ELSE t.state END,
         settled_at = CASE open.state WHEN 'waiting' THEN (SELECT pawl.now_ms()) END,
         prune_at = CASE open.state WHEN 'waiting' THEN (SELECT pawl.now_ms()) + t.retention_ms END
       FROM open WHERE ${sought("t.seq", "open.seq")} RETURNING ${ENDED}, open.state AS was`,
      [...values, last],
    );
    reached += page.length;
    await noteCancelled(
      moves,
      page.filter(({ was }) => was === "waiting"),
    );
    for (const { seq } of page) last = Math.max(last, seq);
    if (page.length < PAGE) return reached;
  }
}

/** Cancels the waiting tasks that a condition names, in a transaction; returns how many. */
export async function cancelWaiting(
  moves: Moves,
  condition: string,
  values: readonly Value[],
): Promise<number> {
  let total = 0;
  for (;;) {
    const cancelled = await cancelSome(moves, "cancel_requested = true", condition, values);
    total += cancelled;
    if (cancelled < PAGE) return total;
  }
}

const EXPIRED = "t.expiring IS NOT NULL AND t.expiring <= (SELECT pawl.now_ms())";

/** Cancels what has expired, in a transaction; as much as fits into a short one, the rest is for the next. */
export async function cancelExpired(moves: Moves): Promise<void> {
  await cancelSome(moves, "error = 'expired'", EXPIRED, []);
}

/**
 * Cancels, in a transaction, what has expired and still holds one of these unique keys because no sweep has come by:
 * it must not keep another one from being stored.
 */
export async function cancelExpiredHolders(moves: Moves, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await cancelSome(moves, "error = 'expired'", `t.open_key = ANY($1::text[]) AND ${EXPIRED}`, [texts(keys)]);
}

async function cancelSome(
  moves: Moves,
  set: string,
  condition: string,
  values: readonly Value[],
): Promise<number> {
  const tasks = await moves.session.all<Ended>(
    `WITH open AS MATERIALIZED (
       SELECT t.id FROM pawl.task AS t WHERE ${condition} AND t.state = 'waiting' LIMIT ${PAGE} FOR UPDATE)
     UPDATE pawl.task AS t SET state = 'cancelled', due = NULL, ${set}, settled_at = (SELECT pawl.now_ms()),
       prune_at = (SELECT pawl.now_ms()) + t.retention_ms
     FROM open WHERE ${sought("t.id", "open.id")} RETURNING ${ENDED}`,
    values,
  );
  await noteCancelled(moves, tasks);
  return tasks.length;
}

async function noteCancelled(moves: Moves, tasks: readonly Ended[]): Promise<void> {
  for (const task of tasks) moves.end(task, "waiting", "cancelled");
  if (tasks.length === 0) return;
  // A callback that ends before it was let go takes its group along.
  const groups = await moves.session.all<{ id: string }>(
    "SELECT id FROM pawl.task_group WHERE callback = ANY($1::text[]) AND state = 'open'",
    [texts(tasks.map(({ id }) => id))],
  );
  for (const { id } of groups) moves.join(id).doomed = true;
}
