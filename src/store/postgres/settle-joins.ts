import type { MemberRecord, TaskState } from "../contract.ts";
import { joinFailure, joinVerdict } from "../join-verdict.ts";
import { cancelOpen } from "./cancel.ts";
import { JOIN_ROW, type JoinRow, lockJoins } from "./joins.ts";
import { ENDED, type Ended, type JoinChange, MOVED, type Moved, type Moves } from "./moves.ts";
import { sought } from "./sought.ts";
import { FORGOTTEN } from "./task-row.ts";
import { scalars, texts } from "./values.ts";

/**
 * Counts what became of members and draws the consequences, in the transaction in which it happened: a join that is
 * complete lets its body go, one that cannot be met any more fails. Both may settle the body, which may be a member
 * itself, so this goes on outwards (and inwards, where a member that is cancelled is a body) until nothing changes.
 * It goes in rounds, and by id within one, so that every store comes to the same end when much happens at a time.
 */
export async function settleJoins(moves: Moves): Promise<void> {
  for (let changes = moves.takeJoins(); changes.size > 0; changes = moves.takeJoins()) {
    const complete: JoinRow[] = [];
    for (const join of await count(moves, changes)) {
      if (await goesOn(moves, join, changes.get(join.id) as JoinChange)) complete.push(join);
    }
    if (complete.length > 0) letGo(moves, complete);
  }
}

/** Adds to the counters of all these joins at once. Those that are not there were cleaned up with their body. */
async function count(moves: Moves, changes: ReadonlyMap<string, JoinChange>): Promise<JoinRow[]> {
  const ids = [...changes.keys()];
  const of = (what: "succeeded" | "failed") => scalars([...changes.values()].map((change) => change[what]));
  await lockJoins(moves.session, ids);
  const rows = await moves.session.all<JoinRow>(
    `UPDATE pawl.task_group AS j SET succeeded = j.succeeded + c.succeeded, failed = j.failed + c.failed
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (id, succeeded, failed) WHERE ${sought("j.id", "c.id")}
     RETURNING ${JOIN_ROW}`,
    [texts(ids), of("succeeded"), of("failed")],
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Draws the consequences for one join; true when it is complete. */
async function goesOn(moves: Moves, join: JoinRow, change: JoinChange): Promise<boolean> {
  if (join.state === "released") return false;
  const verdict = joinVerdict(join);
  if (join.state === "failed") {
    if (!change.reopen || verdict === "failed" || !(await holdBody(moves, join))) return false;
    moves.session.later("UPDATE pawl.task_group SET state = 'open' WHERE id = $1", [join.id]);
  }
  if (change.doomed || verdict === "failed") await fail(moves, join);
  else return verdict === "released";
  return false;
}

function letGo(moves: Moves, joins: readonly JoinRow[]): void {
  moves.session.later("UPDATE pawl.task_group SET state = 'released' WHERE id = ANY($1::text[])", [
    texts(joins.map(({ id }) => id)),
  ]);
  moves.session.later(
    "UPDATE pawl.task SET due = (SELECT pawl.now_ms()) WHERE id = ANY($1::text[]) AND state = 'waiting' AND due IS NULL",
    [texts(joins.map(({ body }) => body))],
  );
  moves.wakes = true;
}

async function fail(moves: Moves, join: JoinRow): Promise<void> {
  const { session } = moves;
  session.later("UPDATE pawl.task_group SET state = 'failed' WHERE id = $1", [join.id]);
  // Asked before the others are cancelled, which fail by that as well.
  const first = await session.get<Omit<MemberRecord, "result">>(
    `SELECT child_index AS "index", id AS task, state, error FROM pawl.task
     WHERE group_id = $1 AND state IN ('dead', 'cancelled') ORDER BY settled_at, child_index LIMIT 1`,
    [join.id],
  );
  const body = await session.get<Ended>(
    `UPDATE pawl.task AS t SET state = 'dead', due = NULL, error = $2, settled_at = (SELECT pawl.now_ms()),
       prune_at = (SELECT pawl.now_ms()) + t.retention_ms
     WHERE t.id = $1 AND t.state = 'waiting' RETURNING ${ENDED}`,
    [join.body, joinFailure(join, first)],
  );
  if (body !== undefined) moves.end(body, "waiting", "dead");
  await cancelOpen(moves, "t.group_id = $1", [join.id]);
}

/** Holds the body of a failed join again. False when there is none that could be, such as one whose key is taken. */
async function holdBody(moves: Moves, join: JoinRow): Promise<boolean> {
  const body = await moves.session.get<Moved & { state: TaskState }>(
    `SELECT ${MOVED}, t.state FROM pawl.task AS t WHERE t.id = $1 FOR UPDATE`,
    [join.body],
  );
  if (body === undefined) return false;
  if (body.state !== "dead" && body.state !== "cancelled") return true;
  const held = await moves.session.run(
    `UPDATE pawl.task AS t SET state = 'waiting', due = NULL, ${FORGOTTEN} WHERE t.id = $1 AND ${KEY_IS_FREE}`,
    [join.body],
  );
  if (held === 0) return false;
  moves.add(body, body.state, "waiting");
  if (body.group_id !== null) moves.join(body.group_id).reopen = true;
  return true;
}

/** Whether the task of the table `t` may be open again. One whose unique key was taken meanwhile stays as it is. */
export const KEY_IS_FREE = `(t.unique_key IS NULL OR NOT EXISTS (SELECT FROM pawl.task AS o
  WHERE o.open_key IS NOT NULL AND o.open_key = t.unique_key AND o.id <> t.id))`;
