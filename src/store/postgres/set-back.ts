import { LEASED } from "./leases.ts";
import type { Session } from "./session.ts";
import { sought } from "./sought.ts";

/** What is set back by less only waits that long. */
const LEAST_MS = 60_000;

/** The latest moment that something in the store says was: when a worker was heard of, or the newest task was stored. */
// The condition names a range of the index, so that no plan reads all of it.
const LATEST = `greatest((SELECT max(seen_at) FROM pawl.worker), (SELECT created_at FROM pawl.task WHERE seq > 0 ORDER BY seq DESC LIMIT 1))`;

/** Whether the clock of the server was set back. */
export const IS_SET_BACK = `coalesce(${LATEST} - (SELECT pawl.now_ms()) > ${LEAST_MS}, false)`;

/**
 * What could begin before the clock was set back can begin, and what waits for another attempt waits no longer than it
 * would have, nor does a lease of a worker that has died. A `delay` ends when the clock shows it. In a transaction; what
 * told of it is corrected, so that this is done once. True when it was set back.
 */
export async function followSetBack(session: Session): Promise<boolean> {
  const row = await session.get<{ now: number; latest: number | null; is: boolean }>(
    `SELECT pawl.now_ms() AS now, ${LATEST} AS latest, ${IS_SET_BACK} AS is`,
  );
  if (row?.latest == null || !row.is) return false;
  const { now, latest } = row;
  // A callback begins when its group ends and never has a time of its own.
  const isBody = `EXISTS (SELECT FROM pawl.task_group AS j WHERE ${sought("j.callback", "t.id")})`;
  await session.run(
    `WITH late AS MATERIALIZED (
       SELECT t.seq FROM pawl.backlog AS l JOIN pawl.task AS t ON ${sought("t.seq", "l.seq")} AND t.due = l.due
       WHERE l.due > $1::bigint AND (l.due <= $2::bigint OR t.fence > 0 OR ${isBody}) FOR UPDATE OF t SKIP LOCKED)
     UPDATE pawl.task AS t
     SET due = CASE WHEN t.due <= $2::bigint OR t.fence = 0 THEN $1::bigint ELSE greatest($1::bigint, t.due - ($2::bigint - $1::bigint)) END
     FROM late WHERE ${sought("t.seq", "late.seq")} AND t.state = 'waiting'`,
    [now, latest],
  );
  await session.run(
    `WITH held AS MATERIALIZED (SELECT t.seq FROM pawl.task AS t
       WHERE t.seq = ANY(ARRAY(SELECT t.seq FROM ${LEASED} WHERE t.lease_until > $2::bigint)) AND t.state = 'leased' FOR UPDATE SKIP LOCKED)
     UPDATE pawl.task AS t SET lease_until = t.lease_until - ($2::bigint - $1::bigint)
     FROM held WHERE ${sought("t.seq", "held.seq")}`,
    [now, latest],
  );
  await session.run("UPDATE pawl.bucket SET claimed_at = $1::bigint WHERE claimed_at > $1::bigint", [now]);
  await session.run(
    "UPDATE pawl.worker SET seen_at = least(seen_at, $1::bigint), started_at = least(started_at, $1::bigint) WHERE seen_at > $1::bigint",
    [now],
  );
  await session.run(
    "UPDATE pawl.task SET created_at = $1::bigint WHERE seq = (SELECT max(seq) FROM pawl.task) AND created_at > $1::bigint",
    [now],
  );
  return true;
}
