import type { TaskSelector, TaskState } from "../contract.ts";
import { keysWanted } from "../keys-wanted.ts";
import { cancelExpiredHolders } from "./cancel.ts";
import { lockGroupsOf } from "./groups.ts";
import { MOVED, type Moved, type Moves } from "./moves.ts";
import { where } from "./selector.ts";
import { KEY_IS_FREE, settleGroups } from "./settle-groups.ts";
import { FORGOTTEN } from "./task-row.ts";
import { scalars, texts } from "./values.ts";

/** How many tasks are looked at together, so that a million of them do not stand in memory. */
const PAGE = 5_000;

interface Candidate extends Moved {
  readonly seq: number;
  readonly state: TaskState;
  readonly unique_key: string | null;
  /** The group whose callback it is, as long as that has not let it go. */
  readonly callback_of: string | null;
}

/**
 * Makes tasks claimable, in a transaction. One that is due already keeps its place in the line. Bodies are left to
 * their groups, which are looked at again.
 */
export async function release(moves: Moves, selector: TaskSelector): Promise<number> {
  const { sql, values } = where(selector);
  const stopped = `(${sql}) AND t.state IN ('waiting', 'dead', 'cancelled')`;
  let released = 0;
  const ended: string[] = [];
  moves.wakes = true;
  lockGroupsOf(moves.session, stopped, values, { single: selector.ids !== undefined });
  for (let after = 0; ; ) {
    const page = await moves.session.all<Candidate>(
      `SELECT t.seq, t.state, t.unique_key, ${MOVED},
         (SELECT j.id FROM pawl.task_group AS j WHERE j.callback = t.id AND j.state <> 'released') AS callback_of
       FROM pawl.task AS t WHERE ${stopped} AND t.seq > $${values.length + 1}
       ORDER BY t.seq LIMIT ${PAGE} FOR UPDATE OF t`,
      [...values, after],
    );
    const free = page.filter(({ callback_of }) => callback_of === null);
    released += await releaseAll(moves, free);
    for (const { id, state, callback_of } of page) {
      if (callback_of === null) continue;
      moves.join(callback_of).reopen = true;
      if (state !== "waiting") ended.push(id);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.seq;
  }
  if (ended.length === 0) return released;
  await settleGroups(moves);
  const held = await moves.session.all(
    "SELECT id FROM pawl.task WHERE id = ANY($1::text[]) AND state = 'waiting'",
    [texts(ended)],
  );
  return released + held.length;
}

async function releaseAll(moves: Moves, tasks: readonly Candidate[]): Promise<number> {
  const chosen = firstOfEachKey(tasks);
  if (chosen.length === 0) return 0;
  await cancelExpiredHolders(moves, keysWanted(tasks));
  const rows = await moves.session.all<{ seq: number }>(
    `UPDATE pawl.task AS t SET state = 'waiting', due = least(t.due, (SELECT pawl.now_ms())), ${FORGOTTEN}
     WHERE t.seq = ANY($1::bigint[]) AND ${KEY_IS_FREE} RETURNING t.seq`,
    [scalars(chosen.map(({ seq }) => seq))],
  );
  const released = new Set(rows.map(({ seq }) => seq));
  for (const task of chosen) {
    if (!released.has(task.seq) || task.state === "waiting") continue;
    moves.add(task, task.state, "waiting");
    if (task.group_id !== null) moves.join(task.group_id).reopen = true;
  }
  return released.size;
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
