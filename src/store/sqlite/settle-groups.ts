import type { ChildRecord, TaskState } from "../contract.ts";
import { groupFailure, groupVerdict } from "../group-verdict.ts";
import { cancelWaiting } from "./cancel.ts";
import type { Connection } from "./connection.ts";
import type { GroupRow } from "./groups.ts";
import { type GroupChange, MOVED, type Moved, type Moves } from "./moves.ts";
import { FORGOTTEN } from "./task-row.ts";

/**
 * Counts what became of children and draws the consequences, in the transaction in which it happened: a group that is
 * complete lets its callback go, one that cannot be met any more fails. Both may settle the callback, which may be a child
 * itself, so this goes on outwards (and inwards, where a child that is cancelled is a callback) until nothing changes.
 * It goes in rounds, and by id within one, so that every store comes to the same end when much happens at a time.
 */
export function settleGroups(db: Connection, moves: Moves): void {
  for (let changes = moves.takeGroups(); changes.length > 0; changes = moves.takeGroups()) {
    for (const [id, change] of changes) settleGroup(db, id, change, moves);
  }
}

function settleGroup(db: Connection, id: string, change: GroupChange, moves: Moves): void {
  const group = db.get<GroupRow>(
    "UPDATE task_group SET succeeded = succeeded + ?, failed = failed + ? WHERE id = ? RETURNING *",
    change.succeeded,
    change.failed,
    id,
  );
  // It may have been cleaned up with its callback.
  if (group === undefined || group.state === "released") return;
  const verdict = groupVerdict(group);
  if (group.state === "failed") {
    if (!change.reopen || verdict === "failed" || !holdBody(db, group, moves)) return;
    db.run("UPDATE task_group SET state = 'open' WHERE id = ?", id);
  }
  if (change.doomed || verdict === "failed") fail(db, group, moves);
  else if (verdict === "released") letGo(db, group, moves);
}

function letGo(db: Connection, { id, callback }: GroupRow, moves: Moves): void {
  db.run("UPDATE task_group SET state = 'released' WHERE id = ?", id);
  db.run(
    "UPDATE task SET due = ? WHERE id = ? AND state = 'waiting' AND due IS NULL",
    db.clock.wall(),
    callback,
  );
  moves.wakes = true;
}

function fail(db: Connection, group: GroupRow, moves: Moves): void {
  const now = db.clock.wall();
  db.run("UPDATE task_group SET state = 'failed' WHERE id = ?", group.id);
  // Asked before the others are cancelled, which fail by that as well.
  const first = db.get<Omit<ChildRecord, "result">>(
    `SELECT child_index AS "index", id AS task, state, error FROM task
     WHERE group_id = ? AND state IN ('dead', 'cancelled') ORDER BY settled_at, child_index LIMIT 1`,
    group.id,
  );
  const callback = db.get<Moved>(
    `UPDATE task SET state = 'dead', due = NULL, error = ?, settled_at = ?, prune_at = ? + retention_ms
     WHERE id = ? AND state = 'waiting' RETURNING ${MOVED}`,
    groupFailure(group, first),
    now,
    now,
    group.callback,
  );
  if (callback !== undefined) moves.add(callback, "waiting", "dead");
  db.run("UPDATE task SET cancel_requested = 1 WHERE group_id = ? AND state = 'leased'", group.id);
  cancelWaiting(db, "group_id = ?", [group.id], moves);
}

/** Holds the callback of a failed group again. False when there is none that could be, such as one whose key is taken. */
function holdBody(db: Connection, group: GroupRow, moves: Moves): boolean {
  const callback = db.get<Moved & { state: TaskState }>(
    `SELECT ${MOVED}, state FROM task WHERE id = ?`,
    group.callback,
  );
  if (callback === undefined) return false;
  if (callback.state !== "dead" && callback.state !== "cancelled") return true;
  const held = db.run(
    `UPDATE OR IGNORE task SET state = 'waiting', due = NULL, ${FORGOTTEN} WHERE id = ?2`,
    db.clock.wall(),
    group.callback,
  );
  if (held === 0) return false;
  moves.add(callback, callback.state, "waiting");
  if (callback.group_id !== null) moves.join(callback.group_id).reopen = true;
  return true;
}
