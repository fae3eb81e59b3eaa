import { forgetChanges } from "../sql/changes.ts";
import { IS_NOT_AWAITED } from "../sql/groups.ts";
import { bound } from "../sql/statement.ts";
import type { Connection } from "./connection.ts";
import { lookup, postgresDialect, scalars, texts } from "./dialect.ts";

/** How many rows of pawl.retained are read together. */
const PAGE = 50;

const NOT_AWAITED = bound(IS_NOT_AWAITED, postgresDialect).text;

/** Of the rows `r` of pawl.retained, the tasks `t` that were not released since. */
const RETAINED = `CROSS JOIN LATERAL unnest(r.tasks) AS s (seq)
  JOIN pawl.task AS t ON ${lookup("t.seq", "s.seq")} AND t.prune_at = r.prune_at`;

/**
 * The same for a statement outside of a transaction, whose planner may do as it likes: so that the tasks are looked up one
 * by one, and not all of them read.
 */
const RETAINED_APART = `CROSS JOIN LATERAL unnest(r.tasks) AS s (seq) CROSS JOIN LATERAL (
    SELECT t.id, t.group_id FROM pawl.task AS t
    WHERE ${lookup("t.seq", "s.seq")} AND t.prune_at = r.prune_at OFFSET 0) AS t`;

/** Whether there is anything to remove. Asked first, so that nothing is written in vain. */
export async function canPrune(connection: Connection): Promise<boolean> {
  const row = await connection.get<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pawl.retained AS r ${RETAINED_APART}
       WHERE r.prune_at <= (SELECT pawl.now_ms()) AND ${NOT_AWAITED}) AS found`,
  );
  return row?.found ?? false;
}

interface Row {
  readonly number: number;
  readonly prune_at: number;
}

/** Removes settled tasks, with their attempts and the groups they were the callback of, in a transaction. */
export async function prune(connection: Connection, limit: number): Promise<number> {
  await connection.perform(forgetChanges());
  let removed = 0;
  for (let after: Row = { number: -1, prune_at: Number.MIN_SAFE_INTEGER }; removed < limit; ) {
    const page = await connection.all<Row>(
      `SELECT r.number, r.prune_at FROM pawl.retained AS r
       WHERE r.prune_at <= (SELECT pawl.now_ms()) AND (r.prune_at, r.number) > ($1::bigint, $2::bigint)
       ORDER BY r.prune_at, r.number LIMIT ${PAGE} FOR UPDATE SKIP LOCKED`,
      [after.prune_at, after.number],
    );
    const last = page.at(-1);
    if (last === undefined) break;
    after = last;
    const numbers = page.map(({ number }) => number);
    removed += await removeOf(connection, numbers, limit - removed);
  }
  return removed;
}

/** Removes tasks of some rows, and the rows of which nothing is left. */
async function removeOf(connection: Connection, numbers: readonly number[], limit: number): Promise<number> {
  const rows = await connection.all<{ id: string; number: number }>(
    `SELECT t.id, r.number FROM pawl.retained AS r ${RETAINED} WHERE r.number = ANY($1::bigint[]) AND ${NOT_AWAITED}
     LIMIT $2 FOR UPDATE OF t SKIP LOCKED`,
    [scalars(numbers), limit],
  );
  // When the limit was reached, the other rows were not read.
  const changed = rows.length < limit ? numbers : [...new Set(rows.map(({ number }) => number))];
  const ids = texts(rows.map(({ id }) => id));
  connection.later("DELETE FROM pawl.attempt WHERE task = ANY($1::text[])", [ids]);
  connection.later("DELETE FROM pawl.task_group WHERE callback = ANY($1::text[])", [ids]);
  connection.later("DELETE FROM pawl.task WHERE id = ANY($1::text[])", [ids]);
  connection.later(
    `WITH kept AS MATERIALIZED (
       SELECT r.number, array_agg(t.seq) AS tasks FROM pawl.retained AS r ${RETAINED}
       WHERE r.number = ANY($1::bigint[]) GROUP BY r.number),
     less AS (
       UPDATE pawl.retained AS r SET tasks = kept.tasks FROM kept
       WHERE ${lookup("r.number", "kept.number")} AND cardinality(r.tasks) > cardinality(kept.tasks))
     DELETE FROM pawl.retained AS r
     WHERE r.number = ANY($1::bigint[]) AND NOT EXISTS (SELECT FROM kept WHERE kept.number = r.number)`,
    [scalars(changed)],
  );
  return rows.length;
}
