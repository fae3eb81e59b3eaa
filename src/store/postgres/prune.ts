import { forgetChanges } from "./recording.ts";
import type { Session } from "./session.ts";
import { texts } from "./values.ts";

/**
 * Settled tasks whose retention is over. The members of a join are kept until its body has ended, which reads their
 * results; the body until its join is over and all of them have ended, who may still have a successor.
 */
const OVER = `
  FROM pawl.task AS t WHERE t.prune_at IS NOT NULL AND t.prune_at <= (SELECT pawl.now_ms())
    AND NOT EXISTS (SELECT FROM pawl.task_join AS j LEFT JOIN pawl.task AS b ON b.id = j.body
      WHERE j.id = t.join_id AND (j.state = 'open' OR b.state IN ('waiting', 'leased')))
    AND NOT EXISTS (SELECT FROM pawl.task_join AS j WHERE j.body = t.id
      AND (j.state = 'open' OR j.members IS NULL OR j.succeeded + j.failed < j.members))`;

/** Whether there is anything to remove: asked first, so that an idle look writes nothing. */
export async function canPrune(session: Session): Promise<boolean> {
  const row = await session.get<{ found: boolean }>(`SELECT EXISTS (SELECT ${OVER}) AS found`);
  return row?.found ?? false;
}

/** Removes settled tasks, with their attempts and the joins they were the body of, in a transaction. */
export async function prune(session: Session, limit: number): Promise<number> {
  forgetChanges(session);
  const rows = await session.all<{ id: string }>(
    `SELECT t.id ${OVER} ORDER BY t.prune_at LIMIT $1 FOR UPDATE OF t SKIP LOCKED`,
    [limit],
  );
  const ids = texts(rows.map(({ id }) => id));
  session.later("DELETE FROM pawl.attempt WHERE task = ANY($1::text[])", [ids]);
  session.later("DELETE FROM pawl.task_join WHERE body = ANY($1::text[])", [ids]);
  return await session.run("DELETE FROM pawl.task WHERE id = ANY($1::text[])", [ids]);
}
