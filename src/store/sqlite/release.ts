import type { TaskSelector, TaskState } from "../contract.ts";
import { keysWanted } from "../keys-wanted.ts";
import { cancelExpiredHolders } from "./cancel.ts";
import type { Connection } from "./connection.ts";
import { MOVED, type Moved, type Moves } from "./moves.ts";
import { where } from "./selector.ts";
import { settleGroups } from "./settle-groups.ts";
import { FORGOTTEN } from "./task-row.ts";

/** How many tasks are looked at together, so that a million of them do not stand in memory. */
const PAGE = 5_000;

interface Candidate extends Moved {
  readonly id: string;
  readonly state: TaskState;
  readonly unique_key: string | null;
  /** The group whose callback it is, as long as that has not let it go. */
  readonly callback_of: string | null;
}

/**
 * Makes tasks claimable, in a transaction. One that is due already keeps its place in the line. Bodies are left to
 * their groups, which are looked at again.
 */
export function release(db: Connection, selector: TaskSelector, moves: Moves): number {
  const { sql, values } = where(db, selector);
  let released = 0;
  const ended: string[] = [];
  moves.wakes = true;
  for (let after = 0; ; ) {
    const page = db.all<Candidate>(
      `SELECT id, state, unique_key, ${MOVED},
         (SELECT j.id FROM task_group AS j WHERE j.callback = task.id AND j.state <> 'released') AS callback_of
       FROM task WHERE ${sql} AND state IN ('waiting', 'dead', 'cancelled') AND seq > ? ORDER BY seq LIMIT ?`,
      ...values,
      after,
      PAGE,
    );
    const free = page.filter(({ callback_of }) => callback_of === null);
    cancelExpiredHolders(db, keysWanted(free), moves);
    for (const task of page) {
      if (task.callback_of === null) released += releaseOne(db, task, moves);
      else {
        moves.join(task.callback_of).reopen = true;
        if (task.state !== "waiting") ended.push(task.id);
      }
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.seq;
  }
  if (ended.length === 0) return released;
  settleGroups(db, moves);
  const held = "SELECT 1 FROM task WHERE id = ? AND state = 'waiting'";
  return released + ended.filter((id) => db.has(held, id)).length;
}

function releaseOne(db: Connection, task: Candidate, moves: Moves): number {
  // One whose unique key was taken meanwhile stays as it is.
  const changed = db.run(
    `UPDATE OR IGNORE task SET state = 'waiting', due = min(coalesce(due, ?1), ?1), ${FORGOTTEN} WHERE seq = ?2`,
    db.clock.wall(),
    task.seq,
  );
  if (changed === 0) return 0;
  if (task.state !== "waiting") {
    moves.add(task, task.state, "waiting");
    if (task.group_id !== null) moves.join(task.group_id).reopen = true;
  }
  return 1;
}
