import type { Connection } from "./connection.ts";
import { forgetChanges, hasOldChanges } from "./recording.ts";

/**
 * Settled tasks whose retention is over. The children of a group are kept until its callback has ended, which reads their
 * results; the callback until its group is over and all of them have ended, who may still have a successor.
 */
const OVER = `
  FROM task AS t WHERE prune_at IS NOT NULL AND prune_at <= ?
    AND NOT EXISTS (SELECT 1 FROM task_group AS j LEFT JOIN task AS b ON b.id = j.callback
      WHERE j.id = t.group_id AND (j.state = 'open' OR b.state IN ('waiting', 'leased')))
    AND NOT EXISTS (SELECT 1 FROM task_group AS j WHERE j.callback = t.id
      AND (j.state = 'open' OR j.children IS NULL OR j.succeeded + j.failed < j.children))`;

/** Whether there is anything to remove: asked first, so that an idle look takes no lock. */
export function canPrune(db: Connection): boolean {
  return hasOldChanges(db) || db.has(`SELECT 1 ${OVER} LIMIT 1`, db.clock.wall());
}

/** Removes settled tasks, with their attempts and the groups they were the callback of, in a transaction. */
export function prune(db: Connection, limit: number): number {
  forgetChanges(db);
  const rows = db.all<{ seq: number; id: string }>(
    `SELECT t.seq, t.id ${OVER} ORDER BY prune_at LIMIT ?`,
    db.clock.wall(),
    limit,
  );
  const seqs = JSON.stringify(rows.map(({ seq }) => seq));
  const ids = JSON.stringify(rows.map(({ id }) => id));
  db.run("DELETE FROM attempt WHERE task IN (SELECT value FROM json_each(?))", seqs);
  db.run("DELETE FROM task_group WHERE callback IN (SELECT value FROM json_each(?))", ids);
  return db.run("DELETE FROM task WHERE seq IN (SELECT value FROM json_each(?))", seqs);
}
