/** What is done about leases that have run out, and about a clock that was set back. */
import type { ClockReading, TakenBack } from "../sql/driver.ts";
import { setByCase } from "../sql/state-machine.ts";
import { type Procedure, run, sql } from "../sql/statement.ts";
import { isMoved, LEAST_SET_BACK_MS, movedDue } from "../sql/sweep.ts";
import { monotonic, runOut } from "./claim.ts";
import type { Connection } from "./connection.ts";

function canBeTakenBack(boot: string, now: string, dead: string): string {
  return `state = 'leased' AND (${runOut(boot, now)} OR worker IN (SELECT value FROM json_each(${dead})))`;
}

const HAS_EXPIRED = `SELECT 1 FROM task
  WHERE state = 'waiting' AND fence = 0 AND expires_at IS NOT NULL AND expires_at <= ? LIMIT 1`;

/** Whether a sweep would find anything. */
export function canSweep(db: Connection, deadWorkers: readonly string[]): boolean {
  const { boot } = db.clock;
  const { now, latest } = readClock(db);
  const held = `SELECT 1 FROM task INDEXED BY task_leased WHERE ${canBeTakenBack("?1", "?2", "?3")} LIMIT 1`;
  return (
    db.has(HAS_EXPIRED, now) ||
    latest - now > LEAST_SET_BACK_MS ||
    db.has(held, boot, monotonic(db), JSON.stringify(deadWorkers))
  );
}

const CRASHED = setByCase(
  ["crashed"],
  "",
  { cancelRequested: "t.cancel_requested", isPoison: "t.crashes + 1 >= ?2" },
  { now: "?1", due: "?1", error: "NULL", result: "NULL" },
);

/** Takes leases back, in a transaction: each is a crash. */
export function takeBackLeases(
  db: Connection,
  deadWorkers: readonly string[],
  poisonAfter: number,
): TakenBack[] {
  return db.all<TakenBack>(
    `UPDATE task AS t INDEXED BY task_leased SET ${CRASHED} WHERE ${canBeTakenBack("?3", "?4", "?5")}
     RETURNING seq, id, queue, fence, group_id, state`,
    db.clock.wall(),
    poisonAfter,
    db.clock.boot,
    monotonic(db),
    JSON.stringify(deadWorkers),
  );
}

/** The latest time that is written: of a heartbeat, or at which the newest task was stored. */
const LATEST = `max(coalesce((SELECT max(seen_at) FROM worker), 0),
  coalesce((SELECT created_at FROM task WHERE seq = (SELECT max(seq) FROM task)), 0))`;

export function readClock(db: Connection): ClockReading {
  const [latest] = db.tuple<[number]>(`SELECT ${LATEST}`) ?? [0];
  return { now: db.clock.wall(), latest };
}

/** Leases and buckets are kept by the monotonic clock, so only due times are moved. */
export function* followClock(reading: ClockReading): Procedure<void> {
  yield* run(
    sql`UPDATE task AS t SET due = ${movedDue(reading)}
     WHERE t.state = 'waiting' AND t.due > ${reading.now} AND ${isMoved(reading)}`,
  );
}
