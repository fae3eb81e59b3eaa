import type { TaskState } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { nextDue } from "./line.ts";

/**
 * A lease has run out when its time has come, when the machine was started anew, or when it lies further ahead than
 * it is long: then the monotonic clock has started again without our knowing the boot.
 */
const RUN_OUT = "(lease_boot <> ?1 OR lease_until <= ?2 OR lease_until - ?2 > lease_ms)";

const TAKEABLE = `state = 'leased' AND (${RUN_OUT} OR worker IN (SELECT value FROM json_each(?3)))`;

function monotonic(db: Connection): number {
  return Math.floor(db.clock.monotonic());
}

/** Whether a sweep would find anything: asked first, so that an idle sweep takes no lock. */
export function canSweep(db: Connection, deadWorkers: readonly string[]): boolean {
  const { boot } = db.clock;
  const sql = `SELECT 1 FROM task INDEXED BY task_leased WHERE ${TAKEABLE} LIMIT 1`;
  return db.get(sql, boot, monotonic(db), JSON.stringify(deadWorkers)) !== undefined;
}

/** Takes leases back, in a transaction. `poisoned` is part of `expired`. */
export function sweep(
  db: Connection,
  deadWorkers: readonly string[],
  poisonAfter: number,
): { expired: string[]; poisoned: string[] } {
  const rows = db.all<{ seq: number; id: string; state: TaskState }>(
    `UPDATE task INDEXED BY task_leased SET
       crashes = crashes + 1,
       state = CASE WHEN cancel_requested THEN 'cancelled' WHEN crashes + 1 >= ?4 THEN 'dead' ELSE 'waiting' END,
       due = iif(cancel_requested OR crashes + 1 >= ?4, NULL, ?5),
       settled_at = iif(cancel_requested OR crashes + 1 >= ?4, ?5, NULL),
       error = iif(NOT cancel_requested AND crashes + 1 >= ?4,
         'Poisoned: its worker died or lost it ' || (crashes + 1) || ' times without progress.', error)
     WHERE ${TAKEABLE} RETURNING seq, id, state`,
    db.clock.boot,
    monotonic(db),
    JSON.stringify(deadWorkers),
    poisonAfter,
    db.clock.wall(),
  );
  rows.sort((a, b) => a.seq - b.seq);
  return {
    expired: rows.map(({ id }) => id),
    poisoned: rows.filter(({ state }) => state === "dead").map(({ id }) => id),
  };
}

/** Milliseconds until a task of the queues can be claimed or taken back; null never. */
export function due(db: Connection, queues: readonly string[]): number | null {
  const waits: number[] = [];
  const next = nextDue(db, queues);
  if (next !== null) waits.push(Math.max(0, next - db.clock.wall()));
  const now = monotonic(db);
  for (const queue of new Set(queues)) {
    const row = db.get<{ until: number | null }>(
      `SELECT min(iif(${RUN_OUT}, ?2, lease_until)) AS until
       FROM task INDEXED BY task_leased WHERE state = 'leased' AND queue = ?3`,
      db.clock.boot,
      now,
      queue,
    );
    if (row?.until != null) waits.push(Math.max(0, row.until - now));
  }
  return waits.length === 0 ? null : Math.min(...waits);
}
