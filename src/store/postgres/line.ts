/**
 * The lines of waiting tasks, read through their indexes (queue, lane, priority, due). The due time stands behind the
 * priority there, so one range over a line would walk past every delayed task; instead each priority in use is looked
 * up and read on its own, and only as far as needed. A lane is a line of its own, so that a million tasks that wait
 * for their rate stand in nobody's way.
 *
 * The conditions are those of the indexes, word by word: only then does the planner see that they serve.
 */
const WAITING = "state = 'waiting' AND due IS NOT NULL";

/** A line, for the table `t`; its queue is $1, its lane $2 if it is one. */
export type Line = "plain" | "lane";

function lineTerm(line: Line): string {
  return line === "plain"
    ? `t.${WAITING} AND t.lane IS NULL AND t.queue = $1`
    : `t.${WAITING} AND t.lane IS NOT NULL AND t.queue = $1 AND t.lane = $2`;
}

/** The priorities in use in a line, highest first, as a recursive common table `tier`; none in a paused queue. */
function tiers(line: Line, all = false): string {
  const open = all ? "true" : "NOT EXISTS (SELECT FROM pawl.queue WHERE name = $1 AND paused)";
  return `WITH RECURSIVE tier (priority) AS (
    (SELECT t.priority FROM pawl.task AS t WHERE ${lineTerm(line)} AND ${open} ORDER BY t.priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT t.priority FROM pawl.task AS t WHERE ${lineTerm(line)} AND t.priority < tier.priority
      ORDER BY t.priority DESC LIMIT 1)
    FROM tier WHERE tier.priority IS NOT NULL
  )`;
}

/** Was begun already, or may still wait. */
const NOT_EXPIRED = "(t.fence > 0 OR t.expires_at IS NULL OR t.expires_at > clock.now)";

/**
 * The first due tasks of a line, locked; those that somebody else is just claiming are passed over. At most as many
 * as the value `limit` says.
 */
export function firstInLine(line: Line, limit: string): string {
  return `${tiers(line)}, clock AS MATERIALIZED (SELECT pawl.now_ms() AS now),
  line AS MATERIALIZED (
    SELECT first.* FROM tier, clock, LATERAL (
      SELECT t.ctid, t.seq, t.priority, t.due, t.lane FROM pawl.task AS t
      WHERE ${lineTerm(line)} AND t.priority = tier.priority AND t.due <= clock.now AND ${NOT_EXPIRED}
      ORDER BY t.due, t.seq LIMIT ${limit} FOR UPDATE SKIP LOCKED) AS first
    LIMIT ${limit})`;
}

/** When the first of a line is due; null when none waits. */
export function nextDue(line: Line, all = false): string {
  return `${tiers(line, all)}
  SELECT min(next.due) AS due FROM tier, LATERAL (
    SELECT t.due FROM pawl.task AS t WHERE ${lineTerm(line)} AND t.priority = tier.priority
    ORDER BY t.due LIMIT 1) AS next`;
}
