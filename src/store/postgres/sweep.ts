/** What is done about leases that have run out, and about a clock that was set back. */

import { lockGroupsOf } from "../sql/cancel.ts";
import type { Sweeping, TakenBack } from "../sql/driver.ts";
import { setByCase } from "../sql/state-machine.ts";
import { call, NOW, oneOf, type Procedure, raw, sql } from "../sql/statement.ts";
import { LEASED } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { lookup, texts } from "./dialect.ts";
import { type PostgresTransitions, TRANSITIONED } from "./state-transitions.ts";

/** Of the tasks `t` that are leased: those whose lease has run out, or whose worker is one of $1. */
const CAN_BE_TAKEN_BACK = "(t.lease_until <= (SELECT pawl.now_ms()) OR t.worker = ANY($1::text[]))";

const EXPIRED = `(SELECT min(expiring) <= (SELECT pawl.now_ms()) FROM pawl.task WHERE expiring IS NOT NULL)`;

/** Whether a sweep would find anything. */
export async function canSweep(session: Connection, deadWorkers: readonly string[]): Promise<boolean> {
  const row = await session.get<{ found: boolean }>(
    `SELECT coalesce(${EXPIRED}, false) OR ${IS_SET_BACK} OR EXISTS (SELECT FROM ${LEASED} WHERE ${CAN_BE_TAKEN_BACK}) AS found`,
    [texts(deadWorkers)],
  );
  return row?.found ?? false;
}

export const sweeping: Sweeping<PostgresTransitions> = {
  followClock: ({ session }) => call(() => followClock(session)),
  takeBack,
};

const CRASHED = setByCase(
  ["crashed"],
  "",
  { cancelRequested: "t.cancel_requested", isPoison: "t.crashes + 1 >= $2::integer" },
  { now: "(SELECT pawl.now_ms())", due: "(SELECT pawl.now_ms())", error: "NULL", result: "NULL" },
);

function* takeBack(
  { session }: PostgresTransitions,
  deadWorkers: readonly string[],
  poisonAfter: number,
): Procedure<readonly TakenBack[]> {
  const seqs = `SELECT t.seq FROM ${LEASED} WHERE ${CAN_BE_TAKEN_BACK}`;
  const canBeTakenBack = sql`(t.lease_until <= ${NOW} OR t.worker ${oneOf(deadWorkers)})`;
  const chosen = sql`t.seq = ANY(ARRAY(SELECT t.seq FROM ${raw(LEASED)} WHERE ${canBeTakenBack}))`;
  yield* lockGroupsOf(chosen, { single: true });
  // A task that is just being settled is passed over: its worker lives.
  return yield* call(() =>
    session.all<TakenBack>(
      `WITH taken AS MATERIALIZED (SELECT t.seq FROM pawl.task AS t WHERE t.seq = ANY(ARRAY(${seqs}))
         AND t.state = 'leased' AND ${CAN_BE_TAKEN_BACK} FOR UPDATE SKIP LOCKED)
       UPDATE pawl.task AS t SET ${CRASHED} FROM taken WHERE ${lookup("t.seq", "taken.seq")}
       RETURNING ${TRANSITIONED}, t.state`,
      [texts(deadWorkers), poisonAfter],
    ),
  );
}

/** What is set back by less only waits that long. */
const LEAST_MS = 60_000;

/** The latest moment that something in the store says was: when a worker was heard of, or the newest task was stored. */
// The condition names a range of the index, so that no plan reads all of it.
const LATEST = `greatest((SELECT max(seen_at) FROM pawl.worker), (SELECT created_at FROM pawl.task WHERE seq > 0 ORDER BY seq DESC LIMIT 1))`;

/** Whether the clock of the server was set back. */
const IS_SET_BACK = `coalesce(${LATEST} - (SELECT pawl.now_ms()) > ${LEAST_MS}, false)`;

/**
 * What could begin before the clock was set back can begin, and what waits for another attempt waits no longer than it
 * would have, nor does a lease of a worker that has died. A `delay` ends when the clock shows it. In a transaction; what
 * told of it is corrected, so that this is done once. True when it was set back.
 */
async function followClock(session: Connection): Promise<boolean> {
  const row = await session.get<{ now: number; latest: number | null; is: boolean }>(
    `SELECT pawl.now_ms() AS now, ${LATEST} AS latest, ${IS_SET_BACK} AS is`,
  );
  if (row?.latest == null || !row.is) return false;
  const { now, latest } = row;
  // A callback begins when its group ends and never has a time of its own.
  const isCallback = `EXISTS (SELECT FROM pawl.task_group AS g WHERE ${lookup("g.callback", "t.id")})`;
  await session.run(
    `WITH late AS MATERIALIZED (
       SELECT t.seq FROM pawl.backlog AS l JOIN pawl.task AS t ON ${lookup("t.seq", "l.seq")} AND t.due = l.due
       WHERE l.due > $1::bigint AND (l.due <= $2::bigint OR t.fence > 0 OR ${isCallback}) FOR UPDATE OF t SKIP LOCKED)
     UPDATE pawl.task AS t
     SET due = CASE WHEN t.due <= $2::bigint OR t.fence = 0 THEN $1::bigint ELSE greatest($1::bigint, t.due - ($2::bigint - $1::bigint)) END
     FROM late WHERE ${lookup("t.seq", "late.seq")} AND t.state = 'waiting'`,
    [now, latest],
  );
  await session.run(
    `WITH held AS MATERIALIZED (SELECT t.seq FROM pawl.task AS t
       WHERE t.seq = ANY(ARRAY(SELECT t.seq FROM ${LEASED} WHERE t.lease_until > $2::bigint)) AND t.state = 'leased' FOR UPDATE SKIP LOCKED)
     UPDATE pawl.task AS t SET lease_until = t.lease_until - ($2::bigint - $1::bigint)
     FROM held WHERE ${lookup("t.seq", "held.seq")}`,
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
