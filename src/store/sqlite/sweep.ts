import type { BucketRate, TaskState } from "../contract.ts";
import { addAttempt } from "./attempts.ts";
import { cancelExpired, hasExpired } from "./cancel.ts";
import type { Connection } from "./connection.ts";
import { CRASHED } from "./crash.ts";
import { nextInLine } from "./line.ts";
import { MOVED, type Moved, type Moves } from "./moves.ts";
import { followSetBack, setBackFrom } from "./set-back.ts";

/**
 * A lease has run out when its time has come, when the machine was started anew, or when it lies further ahead than
 * it is long: then the monotonic clock has started again without our knowing the boot.
 */
function runOut(boot: string, now: string): string {
  return `(lease_boot <> ${boot} OR lease_until <= ${now} OR lease_until - ${now} > lease_ms)`;
}

function takeable(boot: string, now: string, dead: string): string {
  return `state = 'leased' AND (${runOut(boot, now)} OR worker IN (SELECT value FROM json_each(${dead})))`;
}

function monotonic(db: Connection): number {
  return Math.floor(db.clock.monotonic());
}

/** Whether a sweep would find anything: asked first, so that an idle sweep takes no lock. */
export function canSweep(db: Connection, deadWorkers: readonly string[]): boolean {
  const { boot } = db.clock;
  const sql = `SELECT 1 FROM task INDEXED BY task_leased WHERE ${takeable("?1", "?2", "?3")} LIMIT 1`;
  return (
    hasExpired(db) ||
    setBackFrom(db) !== null ||
    db.has(sql, boot, monotonic(db), JSON.stringify(deadWorkers))
  );
}

interface Taken extends Moved {
  readonly id: string;
  readonly state: TaskState;
}

/** Takes leases back and cancels what has expired, in a transaction. `poisoned` is part of `expired`. */
export function sweep(
  db: Connection,
  deadWorkers: readonly string[],
  poisonAfter: number,
  moves: Moves,
): { expired: string[]; poisoned: string[] } {
  const now = db.clock.wall();
  cancelExpired(db, moves);
  followSetBack(db);
  const rows = db.all<Taken>(
    `UPDATE task INDEXED BY task_leased SET ${CRASHED} WHERE ${takeable("?4", "?5", "?6")}
     RETURNING id, state, ${MOVED}`,
    now,
    now,
    poisonAfter,
    db.clock.boot,
    monotonic(db),
    JSON.stringify(deadWorkers),
  );
  rows.sort((a, b) => a.seq - b.seq);
  for (const task of rows) {
    addAttempt(db, task.seq, "crashed", null, null);
    moves.add(task, "leased", task.state);
  }
  moves.wakes = true;
  return {
    expired: rows.map(({ id }) => id),
    poisoned: rows.filter(({ state }) => state === "dead").map(({ id }) => id),
  };
}

/** Milliseconds until a task of the queues can be claimed or taken back; null never. */
export function due(
  db: Connection,
  queues: readonly string[],
  buckets: readonly BucketRate[] = [],
): number | null {
  const waits: number[] = [];
  const next = nextInLine(db, queues, buckets);
  if (next !== null) waits.push(next);
  const now = monotonic(db);
  for (const queue of new Set(queues)) {
    const row = db.get<{ until: number | null }>(
      `SELECT min(iif(${runOut("?1", "?2")}, ?2, lease_until)) AS until
       FROM task INDEXED BY task_leased WHERE state = 'leased' AND queue = ?3`,
      db.clock.boot,
      now,
      queue,
    );
    if (row?.until != null) waits.push(Math.max(0, row.until - now));
  }
  return waits.length === 0 ? null : Math.min(...waits);
}
