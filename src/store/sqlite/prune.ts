import { forgetChanges, KEPT_MS } from "../sql/changes.ts";
import { IS_NOT_AWAITED } from "../sql/groups.ts";
import { all, get, NOW, oneOf, type Procedure, run, sql } from "../sql/statement.ts";

/** Settled tasks whose retention is over. */
const IS_OVER = sql`t.prune_at IS NOT NULL AND t.prune_at <= ${NOW} AND ${IS_NOT_AWAITED}`;

/** Whether there is anything to remove. Asked first, so that no lock is taken in vain. */
export function* canPrune(): Procedure<boolean> {
  // The oldest change comes first.
  const change = yield* get(
    sql`SELECT 1 FROM (SELECT at FROM change ORDER BY number LIMIT 1) WHERE at < ${NOW} - ${KEPT_MS}`,
  );
  if (change !== undefined) return true;
  return (yield* get(sql`SELECT 1 FROM task AS t WHERE ${IS_OVER} LIMIT 1`)) !== undefined;
}

/** Removes settled tasks, with their attempts and the groups they were the callback of, in a transaction. */
export function* prune(limit: number): Procedure<number> {
  yield* forgetChanges();
  const rows = yield* all<{ seq: number; id: string }>(
    sql`SELECT t.seq, t.id FROM task AS t WHERE ${IS_OVER} ORDER BY t.prune_at LIMIT ${limit}`,
  );
  const seqs = oneOf(rows.map(({ seq }) => seq));
  yield* run(sql`DELETE FROM attempt WHERE task ${seqs}`);
  yield* run(sql`DELETE FROM task_group WHERE callback ${oneOf(rows.map(({ id }) => id))}`);
  return yield* run(sql`DELETE FROM task WHERE seq ${seqs}`);
}
