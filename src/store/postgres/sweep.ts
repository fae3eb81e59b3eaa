/** What is done about leases that have run out, and about a clock that was set back. */

import { lockGroupsOf } from "../sql/cancel.ts";
import type { ClockReading, TakenBack } from "../sql/driver.ts";
import { setByCase } from "../sql/state-machine.ts";
import { all, get, lookup, NOW, oneOf, type Procedure, raw, run, sql, statement } from "../sql/statement.ts";
import { isMoved, LEAST_SET_BACK_MS, movedDue } from "../sql/sweep.ts";
import { LEASED } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { lookup as lookupText, texts } from "./dialect.ts";
import { TRANSITIONED } from "./state-transitions.ts";

/** Of the tasks `t` that are leased: those whose lease has run out, or whose worker is one of $1. */
const CAN_BE_TAKEN_BACK = "(t.lease_until <= (SELECT pawl.now_ms()) OR t.worker = ANY($1::text[]))";

const EXPIRED = `(SELECT min(expiring) <= (SELECT pawl.now_ms()) FROM pawl.task WHERE expiring IS NOT NULL)`;

/** Whether a sweep would find anything. */
export async function canSweep(connection: Connection, deadWorkers: readonly string[]): Promise<boolean> {
  const row = await connection.get<{ found: boolean }>(
    `SELECT coalesce(${EXPIRED}, false) OR ${LATEST} - (SELECT pawl.now_ms()) > ${LEAST_SET_BACK_MS}
       OR EXISTS (SELECT FROM ${LEASED} WHERE ${CAN_BE_TAKEN_BACK}) AS found`,
    [texts(deadWorkers)],
  );
  return row?.found ?? false;
}

const CRASHED = setByCase(
  ["crashed"],
  "",
  { cancelRequested: "t.cancel_requested", isPoison: "t.crashes + 1 >= $2::integer" },
  { now: "(SELECT pawl.now_ms())", due: "(SELECT pawl.now_ms())", error: "NULL", result: "NULL" },
);

/** Takes leases back, in a transaction: each is a crash. */
export function* takeBackLeases(
  deadWorkers: readonly string[],
  poisonAfter: number,
): Procedure<readonly TakenBack[]> {
  const seqs = `SELECT t.seq FROM ${LEASED} WHERE ${CAN_BE_TAKEN_BACK}`;
  const canBeTakenBack = sql`(t.lease_until <= ${NOW} OR t.worker ${oneOf(deadWorkers)})`;
  const chosen = sql`t.seq = ANY(ARRAY(SELECT t.seq FROM ${raw(LEASED)} WHERE ${canBeTakenBack}))`;
  yield* lockGroupsOf(chosen, { single: true });
  // A task that is just being settled is passed over: its worker lives.
  return yield* all<TakenBack>(
    statement(
      `WITH taken AS MATERIALIZED (SELECT t.seq FROM pawl.task AS t WHERE t.seq = ANY(ARRAY(${seqs}))
         AND t.state = 'leased' AND ${CAN_BE_TAKEN_BACK} FOR UPDATE SKIP LOCKED)
       UPDATE pawl.task AS t SET ${CRASHED} FROM taken WHERE ${lookupText("t.seq", "taken.seq")}
       RETURNING ${TRANSITIONED}, t.state`,
      [texts(deadWorkers), poisonAfter],
    ),
  );
}

/** The latest time that is written: of a heartbeat, or at which the newest task was stored. */
// The condition names a range of the index, so that no plan reads all of it.
const LATEST = `coalesce(greatest((SELECT max(seen_at) FROM pawl.worker),
  (SELECT created_at FROM pawl.task WHERE seq > 0 ORDER BY seq DESC LIMIT 1)), 0)`;

export function* readClock(): Procedure<ClockReading> {
  const reading = yield* get<ClockReading>(sql`SELECT ${NOW} AS now, ${raw(LATEST)} AS latest`);
  return reading as ClockReading;
}

/** Due times, the ends of leases, and how far rates are used are all kept by the server's clock. */
export function* followClock(reading: ClockReading): Procedure<void> {
  const { now, latest } = reading;
  yield* run(
    sql`WITH late AS MATERIALIZED (
       SELECT t.seq FROM pawl.backlog AS l JOIN pawl.task AS t ON ${lookup("t.seq", "l.seq")} AND t.due = l.due
       WHERE l.due > ${now} AND ${isMoved(reading)} FOR UPDATE OF t SKIP LOCKED)
     UPDATE pawl.task AS t SET due = ${movedDue(reading)}
     FROM late WHERE ${lookup("t.seq", "late.seq")} AND t.state = 'waiting'`,
  );
  yield* run(
    sql`WITH held AS MATERIALIZED (SELECT t.seq FROM pawl.task AS t
       WHERE t.seq = ANY(ARRAY(SELECT t.seq FROM ${raw(LEASED)} WHERE t.lease_until > ${latest})) AND t.state = 'leased'
       FOR UPDATE SKIP LOCKED)
     UPDATE pawl.task AS t SET lease_until = t.lease_until - CAST(${latest - now} AS bigint)
     FROM held WHERE ${lookup("t.seq", "held.seq")}`,
  );
  yield* run(sql`UPDATE pawl.bucket SET claimed_at = ${now} WHERE claimed_at > ${now}`);
}
