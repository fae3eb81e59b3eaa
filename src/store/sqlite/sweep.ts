/** What is done about leases that have run out, and about a clock that was set back. */
import type { Sweeping, TakenBack } from "../sql/driver.ts";
import { setByCase } from "../sql/state-machine.ts";
import type { StateTransitions } from "../sql/state-transitions.ts";
import { call } from "../sql/statement.ts";
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
  const held = `SELECT 1 FROM task INDEXED BY task_leased WHERE ${canBeTakenBack("?1", "?2", "?3")} LIMIT 1`;
  return (
    db.has(HAS_EXPIRED, db.clock.wall()) ||
    clockBefore(db) !== null ||
    db.has(held, boot, monotonic(db), JSON.stringify(deadWorkers))
  );
}

const CRASHED = setByCase(
  ["crashed"],
  "",
  { cancelRequested: "t.cancel_requested", isPoison: "t.crashes + 1 >= ?2" },
  { now: "?1", due: "?1", error: "NULL", result: "NULL" },
);

export function sweepingOf(db: Connection): Sweeping<StateTransitions> {
  return {
    followClock: () => call(() => followClock(db)),
    takeBack: (_, deadWorkers, poisonAfter) =>
      call(() =>
        db.all<TakenBack>(
          `UPDATE task AS t INDEXED BY task_leased SET ${CRASHED} WHERE ${canBeTakenBack("?3", "?4", "?5")}
           RETURNING seq, id, queue, fence, group_id, state`,
          db.clock.wall(),
          poisonAfter,
          db.clock.boot,
          monotonic(db),
          JSON.stringify(deadWorkers),
        ),
      ),
  };
}

/** What is set back by less only waits that long. */
const LEAST_MS = 60_000;

/** The latest moment that something in the store says was: when a worker was heard of, or the newest task was stored. */
const LATEST = `max(coalesce((SELECT max(seen_at) FROM worker), 0),
  coalesce((SELECT created_at FROM task WHERE seq = (SELECT max(seq) FROM task)), 0))`;

/** The moment at which the wall clock stood before it was set back; null when it was not. */
function clockBefore(db: Connection): number | null {
  const [latest] = db.tuple<[number]>(`SELECT ${LATEST}`) ?? [0];
  return latest - db.clock.wall() > LEAST_MS ? latest : null;
}

/**
 * What could begin before the clock was set back can begin, and what waits for another attempt waits no longer than it
 * would have. A `delay` ends when the clock shows it. In a transaction; what told of it is corrected, so that this is
 * done once. True when it was set back.
 */
function followClock(db: Connection): boolean {
  const latest = clockBefore(db);
  if (latest === null) return false;
  const now = db.clock.wall();
  // A callback begins when its group ends and never has a time of its own.
  const isCallback = "EXISTS (SELECT 1 FROM task_group AS g WHERE g.callback = task.id)";
  db.run(
    `UPDATE task SET due = iif(due <= ?2 OR fence = 0, ?1, max(?1, due - (?2 - ?1)))
     WHERE state = 'waiting' AND due > ?1 AND (due <= ?2 OR fence > 0 OR ${isCallback})`,
    now,
    latest,
  );
  db.run("UPDATE worker SET seen_at = min(seen_at, ?1), started_at = min(started_at, ?1)", now);
  db.run("UPDATE task SET created_at = ?1 WHERE seq = (SELECT max(seq) FROM task) AND created_at > ?1", now);
  return true;
}
