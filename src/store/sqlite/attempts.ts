import type { AttemptRecord, TaskState } from "../contract.ts";
import type { Connection } from "./connection.ts";

/** How many attempts of a task are kept. */
const KEPT = 100;

/** Keeps an attempt of a task that is over, in a transaction. */
export function addAttempt(
  db: Connection,
  seq: number,
  result: AttemptRecord["result"],
  error: string | null,
  log: string | null,
): void {
  const now = db.clock.wall();
  // A task that was claimed by the version before this one does not know since when.
  db.run(
    `INSERT INTO attempt (task, fence, worker, started_at, ended_at, outcome, error, log)
     SELECT seq, fence, worker, coalesce(started_at, ?1), ?1, ?2, ?3, ?4 FROM task WHERE seq = ?5`,
    now,
    result,
    error,
    log,
    seq,
  );
  db.run(
    "DELETE FROM attempt WHERE task = ?1 AND fence <= (SELECT fence FROM task WHERE seq = ?1) - ?2",
    seq,
    KEPT,
  );
}

/** Whether the task's own row tells the whole attempt. Most tasks succeed at once, and cost one row only. */
export function isPlain(fence: number, state: TaskState, log: string | undefined): boolean {
  return fence === 1 && state === "succeeded" && log === undefined;
}

interface PlainRow {
  readonly seq: number;
  readonly fence: number;
  readonly worker: string | null;
  readonly started_at: number | null;
  readonly state: TaskState;
  readonly settled_at: number | null;
}

/** The attempts of a task that are over, first to last. */
export function listAttempts(db: Connection, id: string): AttemptRecord[] {
  const task = db.get<PlainRow>(
    "SELECT seq, fence, worker, started_at, state, settled_at FROM task WHERE id = ?",
    id,
  );
  if (task === undefined) return [];
  const kept = db
    .all<AttemptRecord>(
      `SELECT fence, worker, started_at AS startedAt, ended_at AS endedAt, outcome AS result, error, log
       FROM attempt WHERE task = ? ORDER BY fence`,
      task.seq,
    )
    .map((row) => ({ ...row }));
  const { fence, worker, started_at, settled_at, state } = task;
  if (kept.length > 0 || fence !== 1 || state !== "succeeded" || settled_at === null) return kept;
  const startedAt = started_at ?? settled_at;
  return [
    { fence, worker: worker ?? "", startedAt, endedAt: settled_at, result: state, error: null, log: null },
  ];
}
