/**
 * What is done about leases that have run out, tasks that have expired, and a clock that was set back. Which leases can be taken back is
 * said by each driver's sweep.ts, and which workers are dead by tasks/worker/orphan-rescue.ts.
 */
import { addAttempts } from "./attempt-history.ts";
import { cancelExpired } from "./cancel.ts";
import type { ClockReading, Driver } from "./driver.ts";
import type { StateTransitions } from "./state-transitions.ts";
import { lookup, type Procedure, run, type Sql, sql } from "./statement.ts";

/** Takes leases back and cancels what has expired, in a transaction. `poisoned` is part of `expired`. */
export function* sweep<T extends StateTransitions>(
  transitions: T,
  driver: Driver<T>,
  deadWorkers: readonly string[],
  poisonAfter: number,
): Procedure<{ expired: string[]; poisoned: string[] }> {
  yield* cancelExpired(transitions);
  const wasSetBack = yield* followClock(driver);
  const tasks = (yield* driver.takeBackLeases(deadWorkers, poisonAfter)).toSorted((a, b) => a.seq - b.seq);
  yield* addAttempts(
    tasks.map(({ id, fence, state }) => ({ id, fence, state, result: "crashed", error: null, log: null })),
  );
  for (const task of tasks) transitions.add(task, "leased", task.state);
  if (wasSetBack || tasks.length > 0) transitions.wakes = true;
  return {
    expired: tasks.map(({ id }) => id),
    poisoned: tasks.filter(({ state }) => state === "dead").map(({ id }) => id),
  };
}

/** A clock that was set back by less is not followed: everything waits that much longer. */
export const LEAST_SET_BACK_MS = 60_000;

/**
 * Follows a clock that was set back, in a transaction; true when it was. What could begin before can begin; what waits for another attempt, and
 * the lease of a worker that has died, wait no longer than they would have. A `delay` ends when the clock shows its time. The rows by which
 * this was found are corrected, so that it is done once.
 */
function* followClock(driver: Pick<Driver, "readClock" | "followClock">): Procedure<boolean> {
  const reading = yield* driver.readClock();
  const { now, latest } = reading;
  if (latest - now <= LEAST_SET_BACK_MS) return false;
  yield* driver.followClock(reading);
  yield* run(sql`UPDATE pawl.worker SET seen_at = ${now} WHERE seen_at > ${now}`);
  yield* run(sql`UPDATE pawl.worker SET started_at = ${now} WHERE started_at > ${now}`);
  yield* run(
    sql`UPDATE pawl.task SET created_at = ${now}
     WHERE seq = (SELECT max(seq) FROM pawl.task) AND created_at > ${now}`,
  );
  return true;
}

/** The condition that a waiting task `t` whose time has not come is moved by `followClock`. */
export function isMoved({ latest }: ClockReading): Sql {
  // A callback begins when its group ends and never has a time of its own.
  return sql`(t.due <= ${latest} OR t.fence > 0
    OR EXISTS (SELECT 1 FROM pawl.task_group AS g WHERE ${lookup("g.callback", "t.id")}))`;
}

/** The time to which it is moved. */
export function movedDue({ now, latest }: ClockReading): Sql {
  const at = sql`CAST(${now} AS bigint)`;
  const earlier = sql`t.due - CAST(${latest - now} AS bigint)`;
  return sql`CASE WHEN t.due > ${latest} AND t.fence > 0 AND ${earlier} > ${at} THEN ${earlier} ELSE ${at} END`;
}
