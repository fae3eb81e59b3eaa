/**
 * The lines of waiting tasks, read through their indexes (queue, bucket, priority, due). The due time stands behind the
 * priority there, so one range over a line would walk past every delayed task; instead each priority in use is looked
 * up and read on its own, and only as far as needed. A bucket is a line of its own, so that a million tasks that wait
 * for their rate stand in nobody's way.
 *
 * The conditions are those of the indexes, word by word: only then does the planner see that they serve.
 */

import { sought } from "./sought.ts";

/** A line, in the table `l`; its queue is $1, its bucket $2 if it is one. */
export type Line = "plain" | "bucket";

function lineTerm(line: Line): string {
  return line === "plain"
    ? "l.bucket IS NULL AND l.queue = $1"
    : "l.bucket IS NOT NULL AND l.queue = $1 AND l.bucket = $2";
}

/** The priorities in use in a line, highest first, as a recursive common table `tier`; none in a paused queue. */
function tiers(line: Line, all = false): string {
  const open = all ? "true" : "NOT EXISTS (SELECT FROM pawl.queue WHERE name = $1 AND paused)";
  return `WITH RECURSIVE tier (priority) AS (
    (SELECT l.priority FROM pawl.backlog AS l WHERE ${lineTerm(line)} AND ${open} ORDER BY l.priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT l.priority FROM pawl.backlog AS l WHERE ${lineTerm(line)} AND l.priority < tier.priority
      ORDER BY l.priority DESC LIMIT 1)
    FROM tier WHERE tier.priority IS NOT NULL
  )`;
}

/** Was begun already, or may still wait. */
const NOT_EXPIRED = "(t.fence > 0 OR t.expires_at IS NULL OR t.expires_at > clock.now)";

/**
 * The first due tasks of a line, locked; those that somebody else is just claiming are passed over. At most as many
 * as the value `limit` says. A task that was found changed as it was locked is in this place no longer if its fence or
 * its due time is another.
 */
export function firstInLine(line: Line, limit: string): string {
  return `${tiers(line)}, clock AS MATERIALIZED (SELECT pawl.now_ms() AS now),
  line AS MATERIALIZED (
    SELECT first.* FROM tier, clock, LATERAL (
      SELECT l.ctid AS place, l.seq, l.priority, l.due, l.bucket
      FROM pawl.backlog AS l JOIN pawl.task AS t ON ${sought("t.seq", "l.seq")} AND t.fence = l.fence AND t.due = l.due
      WHERE ${lineTerm(line)} AND l.priority = tier.priority AND l.due <= clock.now AND ${NOT_EXPIRED}
      ORDER BY l.due, l.seq LIMIT ${limit} FOR UPDATE OF t SKIP LOCKED) AS first
    LIMIT ${limit})`;
}

/** When the first of a line is due; null when none waits. */
export function nextDue(line: Line, all = false): string {
  return `${tiers(line, all)}
  SELECT min(next.due) AS due FROM tier, LATERAL (
    SELECT l.due FROM pawl.backlog AS l WHERE ${lineTerm(line)} AND l.priority = tier.priority
    ORDER BY l.due LIMIT 1) AS next`;
}
