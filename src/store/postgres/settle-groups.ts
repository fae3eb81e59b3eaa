import type { ChildRecord, TaskState } from "../contract.ts";
import { groupFailure, groupVerdict } from "../group-verdict.ts";
import { cancelOpen } from "./cancel.ts";
import { GROUP_ROW, type GroupRow, lockGroups } from "./groups.ts";
import { ENDED, type Ended, type GroupChange, MOVED, type Moved, type Moves } from "./moves.ts";
import { sought } from "./sought.ts";
import { FORGOTTEN } from "./task-row.ts";
import { scalars, texts } from "./values.ts";

/**
 * Counts what became of children and draws the consequences, in the transaction in which it happened: a group that is
 * complete lets its callback go, one that cannot be met any more fails. Both may settle the callback, which may be a child
 * itself, so this goes on outwards (and inwards, where a child that is cancelled is a callback) until nothing changes.
 * It goes in rounds, and by id within one, so that every store comes to the same end when much happens at a time.
 */
export async function settleGroups(moves: Moves): Promise<void> {
  for (let changes = moves.takeGroups(); changes.size > 0; changes = moves.takeGroups()) {
    const complete: GroupRow[] = [];
    for (const group of await count(moves, changes)) {
      if (await goesOn(moves, group, changes.get(group.id) as GroupChange)) complete.push(group);
    }
    if (complete.length > 0) letGo(moves, complete);
  }
}

/** Adds to the counters of all these groups at once. Those that are not there were cleaned up with their callback. */
async function count(moves: Moves, changes: ReadonlyMap<string, GroupChange>): Promise<GroupRow[]> {
  const ids = [...changes.keys()];
  const of = (what: "succeeded" | "failed") => scalars([...changes.values()].map((change) => change[what]));
  await lockGroups(moves.session, ids);
  const rows = await moves.session.all<GroupRow>(
    `UPDATE pawl.task_group AS j SET succeeded = j.succeeded + c.succeeded, failed = j.failed + c.failed
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (id, succeeded, failed) WHERE ${sought("j.id", "c.id")}
     RETURNING ${GROUP_ROW}`,
    [texts(ids), of("succeeded"), of("failed")],
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Draws the consequences for one group; true when it is complete. */
async function goesOn(moves: Moves, group: GroupRow, change: GroupChange): Promise<boolean> {
  if (group.state === "released") return false;
  const verdict = groupVerdict(group);
  if (group.state === "failed") {
    if (!change.reopen || verdict === "failed" || !(await holdBody(moves, group))) return false;
    moves.session.later("UPDATE pawl.task_group SET state = 'open' WHERE id = $1", [group.id]);
  }
  if (change.doomed || verdict === "failed") await fail(moves, group);
  else return verdict === "released";
  return false;
}

function letGo(moves: Moves, groups: readonly GroupRow[]): void {
  moves.session.later("UPDATE pawl.task_group SET state = 'released' WHERE id = ANY($1::text[])", [
    texts(groups.map(({ id }) => id)),
  ]);
  moves.session.later(
    "UPDATE pawl.task SET due = (SELECT pawl.now_ms()) WHERE id = ANY($1::text[]) AND state = 'waiting' AND due IS NULL",
    [texts(groups.map(({ callback }) => callback))],
  );
  moves.wakes = true;
}

async function fail(moves: Moves, group: GroupRow): Promise<void> {
  const { session } = moves;
  session.later("UPDATE pawl.task_group SET state = 'failed' WHERE id = $1", [group.id]);
  // Asked before the others are cancelled, which fail by that as well.
  const first = await session.get<Omit<ChildRecord, "result">>(
    `SELECT child_index AS "index", id AS task, state, error FROM pawl.task
     WHERE group_id = $1 AND state IN ('dead', 'cancelled') ORDER BY settled_at, child_index LIMIT 1`,
    [group.id],
  );
  const callback = await session.get<Ended>(
    `UPDATE pawl.task AS t SET state = 'dead', due = NULL, error = $2, settled_at = (SELECT pawl.now_ms()),
       prune_at = (SELECT pawl.now_ms()) + t.retention_ms
     WHERE t.id = $1 AND t.state = 'waiting' RETURNING ${ENDED}`,
    [group.callback, groupFailure(group, first)],
  );
  if (callback !== undefined) moves.end(callback, "waiting", "dead");
  await cancelOpen(moves, "t.group_id = $1", [group.id]);
}

/** Holds the callback of a failed group again. False when there is none that could be, such as one whose key is taken. */
async function holdBody(moves: Moves, group: GroupRow): Promise<boolean> {
  const callback = await moves.session.get<Moved & { state: TaskState }>(
    `SELECT ${MOVED}, t.state FROM pawl.task AS t WHERE t.id = $1 FOR UPDATE`,
    [group.callback],
  );
  if (callback === undefined) return false;
  if (callback.state !== "dead" && callback.state !== "cancelled") return true;
  const held = await moves.session.run(
    `UPDATE pawl.task AS t SET state = 'waiting', due = NULL, ${FORGOTTEN} WHERE t.id = $1 AND ${KEY_IS_FREE}`,
    [group.callback],
  );
  if (held === 0) return false;
  moves.add(callback, callback.state, "waiting");
  if (callback.group_id !== null) moves.join(callback.group_id).reopen = true;
  return true;
}

/** Whether the task of the table `t` may be open again. One whose unique key was taken meanwhile stays as it is. */
export const KEY_IS_FREE = `(t.unique_key IS NULL OR NOT EXISTS (SELECT FROM pawl.task AS o
  WHERE o.open_key IS NOT NULL AND o.open_key = t.unique_key AND o.id <> t.id))`;
