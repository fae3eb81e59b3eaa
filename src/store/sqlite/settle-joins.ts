import type { MemberRecord, TaskState } from "../contract.ts";
import { joinFailure, joinVerdict } from "../join-verdict.ts";
import { cancelWaiting } from "./cancel.ts";
import type { Connection } from "./connection.ts";
import type { JoinRow } from "./joins.ts";
import { type JoinChange, MOVED, type Moved, type Moves } from "./moves.ts";
import { FORGOTTEN } from "./task-row.ts";

/**
 * Counts what became of members and draws the consequences, in the transaction in which it happened: a join that is
 * complete lets its body go, one that cannot be met any more fails. Both may settle the body, which may be a member
 * itself, so this goes on outwards (and inwards, where a member that is cancelled is a body) until nothing changes.
 * It goes in rounds, and by id within one, so that every store comes to the same end when much happens at a time.
 */
export function settleJoins(db: Connection, moves: Moves): void {
  for (let changes = moves.takeJoins(); changes.length > 0; changes = moves.takeJoins()) {
    for (const [id, change] of changes) settleJoin(db, id, change, moves);
  }
}

function settleJoin(db: Connection, id: string, change: JoinChange, moves: Moves): void {
  const join = db.get<JoinRow>(
    "UPDATE task_group SET succeeded = succeeded + ?, failed = failed + ? WHERE id = ? RETURNING *",
    change.succeeded,
    change.failed,
    id,
  );
  // It may have been cleaned up with its body.
  if (join === undefined || join.state === "released") return;
  const verdict = joinVerdict(join);
  if (join.state === "failed") {
    if (!change.reopen || verdict === "failed" || !holdBody(db, join, moves)) return;
    db.run("UPDATE task_group SET state = 'open' WHERE id = ?", id);
  }
  if (change.doomed || verdict === "failed") fail(db, join, moves);
  else if (verdict === "released") letGo(db, join, moves);
}

function letGo(db: Connection, { id, body }: JoinRow, moves: Moves): void {
  db.run("UPDATE task_group SET state = 'released' WHERE id = ?", id);
  db.run("UPDATE task SET due = ? WHERE id = ? AND state = 'waiting' AND due IS NULL", db.clock.wall(), body);
  moves.wakes = true;
}

function fail(db: Connection, join: JoinRow, moves: Moves): void {
  const now = db.clock.wall();
  db.run("UPDATE task_group SET state = 'failed' WHERE id = ?", join.id);
  // Asked before the others are cancelled, which fail by that as well.
  const first = db.get<Omit<MemberRecord, "result">>(
    `SELECT child_index AS "index", id AS task, state, error FROM task
     WHERE group_id = ? AND state IN ('dead', 'cancelled') ORDER BY settled_at, child_index LIMIT 1`,
    join.id,
  );
  const body = db.get<Moved>(
    `UPDATE task SET state = 'dead', due = NULL, error = ?, settled_at = ?, prune_at = ? + retention_ms
     WHERE id = ? AND state = 'waiting' RETURNING ${MOVED}`,
    joinFailure(join, first),
    now,
    now,
    join.body,
  );
  if (body !== undefined) moves.add(body, "waiting", "dead");
  db.run("UPDATE task SET cancel_requested = 1 WHERE group_id = ? AND state = 'leased'", join.id);
  cancelWaiting(db, "group_id = ?", [join.id], moves);
}

/** Holds the body of a failed join again. False when there is none that could be, such as one whose key is taken. */
function holdBody(db: Connection, join: JoinRow, moves: Moves): boolean {
  const body = db.get<Moved & { state: TaskState }>(
    `SELECT ${MOVED}, state FROM task WHERE id = ?`,
    join.body,
  );
  if (body === undefined) return false;
  if (body.state !== "dead" && body.state !== "cancelled") return true;
  const held = db.run(
    `UPDATE OR IGNORE task SET state = 'waiting', due = NULL, ${FORGOTTEN} WHERE id = ?2`,
    db.clock.wall(),
    join.body,
  );
  if (held === 0) return false;
  moves.add(body, body.state, "waiting");
  if (body.group_id !== null) moves.join(body.group_id).reopen = true;
  return true;
}
