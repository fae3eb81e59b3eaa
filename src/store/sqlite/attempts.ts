import type { AttemptRecord, Outcome, TaskState } from "../contract.ts";
import type { Connection } from "./connection.ts";

/** How many attempts of a task are kept. */
const KEPT = 100;

/** What an attempt can be told from, on the row of its task. */
export interface AttemptRow {
  readonly seq: number;
  readonly fence: number;
  readonly worker: string | null;
  readonly started_at: number | null;
}

/** Keeps an attempt that is over, in a transaction. */
export function addAttempt(
  db: Connection,
  task: AttemptRow,
  outcome: AttemptRecord["outcome"],
  error: string | null,
  log: string | null,
): void {
  const now = db.clock.wall();
  db.run(
    `INSERT INTO attempt (task, fence, worker, started_at, ended_at, outcome, error, log)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    task.seq,
    task.fence,
    task.worker ?? "",
    // Claimed by a version that did not write it down.
    task.started_at ?? now,
    now,
    outcome,
    error,
    log,
  );
  if (task.fence > KEPT) {
    db.run("DELETE FROM attempt WHERE task = ? AND fence <= ?", task.seq, task.fence - KEPT);
  }
}

/** Whether the task's own row tells the whole attempt. Most tasks succeed at once, and cost one row only. */
export function isPlain(fence: number, outcome: Outcome, log: string | null): boolean {
  return fence === 1 && outcome.state === "succeeded" && log === null;
}

interface PlainRow extends AttemptRow {
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
  const kept = db.all<AttemptRecord>(
    `SELECT fence, worker, started_at AS startedAt, ended_at AS endedAt, outcome, error, log
     FROM attempt WHERE task = ? ORDER BY fence`,
    task.seq,
  );
  const { fence, worker, started_at, settled_at, state } = task;
  if (kept.length > 0 || fence !== 1 || state !== "succeeded" || settled_at === null) return kept;
  const startedAt = started_at ?? settled_at;
  return [
    { fence, worker: worker ?? "", startedAt, endedAt: settled_at, outcome: state, error: null, log: null },
  ];
}
