import type { Connection } from "./connection.ts";

/** What is set back by less only waits that long. */
const LEAST_MS = 60_000;

/** The latest moment that something in the store says was: when a worker was heard of, or the newest task was stored. */
const LATEST = `max(coalesce((SELECT max(seen_at) FROM worker), 0),
  coalesce((SELECT created_at FROM task WHERE seq = (SELECT max(seq) FROM task)), 0))`;

/** The moment at which the wall clock stood before it was set back; null when it was not. */
export function setBackFrom(db: Connection): number | null {
  const [latest] = db.tuple<[number]>(`SELECT ${LATEST}`) ?? [0];
  return latest - db.clock.wall() > LEAST_MS ? latest : null;
}

/**
 * What could begin before the clock was set back can begin, and what waits for another attempt waits no longer than it
 * would have. A `delay` ends when the clock shows it. In a transaction; what told of it is corrected, so that this is
 * done once.
 */
export function followSetBack(db: Connection): void {
  const latest = setBackFrom(db);
  if (latest === null) return;
  const now = db.clock.wall();
  // A callback begins when its group ends and never has a time of its own.
  const isBody = "EXISTS (SELECT 1 FROM task_group AS j WHERE j.callback = task.id)";
  db.run(
    `UPDATE task SET due = iif(due <= ?2 OR fence = 0, ?1, max(?1, due - (?2 - ?1)))
     WHERE state = 'waiting' AND due > ?1 AND (due <= ?2 OR fence > 0 OR ${isBody})`,
    now,
    latest,
  );
  db.run("UPDATE worker SET seen_at = min(seen_at, ?1), started_at = min(started_at, ?1)", now);
  db.run("UPDATE task SET created_at = ?1 WHERE seq = (SELECT max(seq) FROM task) AND created_at > ?1", now);
}
