import { prepared, type Session } from "./session.ts";
import { sought } from "./sought.ts";
import { scalars } from "./values.ts";

/**
 * The rest of a FROM that gives the tasks `t` that are leased. They are looked up one by one, because a planner that
 * does not know how few they are may walk all tasks.
 */
export const LEASED = `pawl.lease AS l CROSS JOIN LATERAL unnest(l.tasks) AS s (seq) CROSS JOIN LATERAL (
    SELECT t.seq, t.queue, t.worker, t.lease_until FROM pawl.task AS t
    WHERE ${sought("t.seq", "s.seq")} AND t.lease = l.number AND t.state = 'leased' OFFSET 0) AS t`;

/**
 * With so small a share of its tasks still leased, a row is written anew without the others. Each must be looked up for
 * that, so it is not for a row whose last tasks end in a moment, as most do.
 */
const SHARE = 16;

/**
 * Takes tasks that are leased no more out of the rows in which they stand, in the transaction in which they ended. Rows
 * are locked in order of their numbers, after the tasks.
 */
export function unlease(session: Session, counts: ReadonlyMap<number, number>): void {
  const numbers = [...counts.keys()].sort((a, b) => a - b);
  session.later(UNLEASE, [scalars(numbers), scalars(numbers.map((number) => counts.get(number)))]);
}

const UNLEASE = prepared(
  `WITH ended AS MATERIALIZED (
       SELECT l.number, l.open - c.tasks AS open
       FROM unnest($1::bigint[], $2::bigint[]) AS c (number, tasks) JOIN pawl.lease AS l ON ${sought("l.number", "c.number")}
       ORDER BY l.number FOR UPDATE OF l),
     gone AS (DELETE FROM pawl.lease AS l USING ended AS e WHERE ${sought("l.number", "e.number")} AND e.open <= 0)
     UPDATE pawl.lease AS l SET open = e.open, tasks = CASE WHEN e.open * ${SHARE} > cardinality(l.tasks) THEN l.tasks
       ELSE ARRAY(SELECT s.seq FROM unnest(l.tasks) AS s (seq) JOIN pawl.task AS t ON ${sought("t.seq", "s.seq")}
         WHERE t.lease = l.number AND t.state = 'leased') END
     FROM ended AS e WHERE ${sought("l.number", "e.number")} AND e.open > 0`,
);
