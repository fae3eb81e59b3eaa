import type { SQLInputValue } from "node:sqlite";
import type { TaskSelector } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { MOVED, type Moved, type Moves } from "./moves.ts";
import { where } from "./selector.ts";

/** How many tasks are looked at together, so that a million of them do not stand in memory. */
const PAGE = 5_000;

/** Cancels waiting tasks and asks the holders of leased ones, in a transaction. */
export function requestCancel(db: Connection, selector: TaskSelector, moves: Moves): number {
  const { sql, values } = where(db, selector);
  const asked = db.run(`UPDATE task SET cancel_requested = 1 WHERE ${sql} AND state = 'leased'`, ...values);
  return asked + cancelWaiting(db, sql, values, moves);
}

/** Cancels the waiting tasks that a condition names, in a transaction; returns how many. */
export function cancelWaiting(
  db: Connection,
  condition: string,
  values: readonly SQLInputValue[],
  moves: Moves,
): number {
  const seqs = select(db, `${condition} AND state = 'waiting' ORDER BY seq`, values);
  for (let from = 0; from < seqs.length; from += PAGE) {
    cancel(db, "cancel_requested = 1", seqs.slice(from, from + PAGE), moves);
  }
  return seqs.length;
}

/** The numbers of tasks: little to keep, even of a million. */
function select(db: Connection, condition: string, values: readonly SQLInputValue[]): number[] {
  const sql = `SELECT json_group_array(seq) AS seqs FROM (SELECT seq FROM task WHERE ${condition})`;
  return JSON.parse(db.get<{ seqs: string }>(sql, ...values)?.seqs ?? "[]");
}

const EXPIRED = "fence = 0 AND expires_at IS NOT NULL AND expires_at <= ?";

/** Whether a task has expired: waits for longer than it may and was never begun. */
export function hasExpired(db: Connection): boolean {
  return db.has(`SELECT 1 FROM task WHERE state = 'waiting' AND ${EXPIRED} LIMIT 1`, db.clock.wall());
}

/** Cancels what has expired, in a transaction; as much as fits into a short one, the rest is for the next. */
export function cancelExpired(db: Connection, moves: Moves): void {
  const first = `state = 'waiting' AND ${EXPIRED} ORDER BY expires_at LIMIT ${PAGE}`;
  cancel(db, "error = 'expired'", select(db, first, [db.clock.wall()]), moves);
}

/**
 * Cancels, in a transaction, what has expired and still holds one of these unique keys because no sweep has come by:
 * it must not keep another one from being stored.
 */
export function cancelExpiredHolders(db: Connection, keys: readonly string[], moves: Moves): void {
  if (keys.length === 0) return;
  const held = "unique_key IN (SELECT value FROM json_each(?)) AND state IN ('waiting', 'leased')";
  const condition = `${held} AND state = 'waiting' AND ${EXPIRED} ORDER BY seq`;
  const seqs = select(db, condition, [JSON.stringify(keys), db.clock.wall()]);
  if (seqs.length > 0) cancel(db, "error = 'expired'", seqs, moves);
}

function cancel(db: Connection, set: string, seqs: readonly number[], moves: Moves): void {
  const now = db.clock.wall();
  const tasks = db.all<Moved & { id: string }>(
    `UPDATE task SET state = 'cancelled', due = NULL, ${set}, settled_at = ?, prune_at = ? + retention_ms
     WHERE seq IN (SELECT value FROM json_each(?)) RETURNING ${MOVED}, id`,
    now,
    now,
    JSON.stringify(seqs),
  );
  for (const task of tasks) moves.add(task, "waiting", "cancelled");
  endBodies(db, tasks, moves);
}

/** A callback that ends before it was let go takes its group along. */
function endBodies(db: Connection, tasks: readonly { readonly id: string }[], moves: Moves): void {
  if (tasks.length === 0) return;
  const groups = db.all<{ id: string }>(
    "SELECT id FROM task_group WHERE callback IN (SELECT value FROM json_each(?)) AND state = 'open'",
    JSON.stringify(tasks.map(({ id }) => id)),
  );
  for (const { id } of groups) moves.join(id).doomed = true;
}
