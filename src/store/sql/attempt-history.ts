import type { AttemptRecord, TaskState } from "../contract.ts";
import { ATTEMPT_KEY, all, later, lookup, NOW, type Procedure, rows, sql, together } from "./statement.ts";

/** How many attempts of a task are kept. */
const KEPT = 100;

/** An attempt that is over. */
export interface EndedAttempt {
  readonly id: string;
  readonly fence: number;
  readonly result: AttemptRecord["result"];
  readonly error: string | null;
  readonly log: string | null;
  /** What the task came to. */
  readonly state: TaskState;
}

/** Whether the task's own row has all that is known of the attempt. Most tasks succeed at once, and cost one row only. */
export function isInTaskRow(fence: number, state: TaskState, log: string | null): boolean {
  return fence === 1 && state === "succeeded" && log === null;
}

/**
 * Keeps attempts that are over, in the transaction that ended them, while the rows of their tasks still name the worker. Those that
 * are `isInTaskRow` need not be kept.
 */
export function* addAttempts(kept: readonly EndedAttempt[]): Procedure<void> {
  if (kept.length === 0) return;
  yield* later(
    sql`INSERT INTO pawl.attempt (task, fence, worker, started_at, ended_at, result, error, log)
     SELECT ${ATTEMPT_KEY}, e.fence, coalesce(t.worker, ''), coalesce(t.started_at, ${NOW}), ${NOW}, e.result, e.error, e.log
     FROM ${rows("e", {
       id: ["text", kept.map(({ id }) => id)],
       fence: ["bigint", kept.map(({ fence }) => fence)],
       result: ["text", kept.map(({ result }) => result)],
       error: ["text", kept.map(({ error }) => error)],
       log: ["text", kept.map(({ log }) => log)],
     })} JOIN pawl.task AS t ON ${lookup("t.id", "e.id")}`,
  );
  for (const { id, fence } of kept) {
    if (fence <= KEPT) continue;
    const key = sql`(SELECT ${ATTEMPT_KEY} FROM pawl.task AS t WHERE t.id = ${id})`;
    yield* later(sql`DELETE FROM pawl.attempt WHERE task = ${key} AND fence <= ${fence - KEPT}`);
  }
}

interface AttemptRow {
  readonly fence: number;
  readonly worker: string | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly result: AttemptRecord["result"];
  readonly error: string | null;
  readonly log: string | null;
}

/** The attempts of a task that are over, first to last. */
export function* listAttempts(id: string): Procedure<AttemptRecord[]> {
  const [plain = [], kept = []] = yield* together([
    all<AttemptRow>(
      sql`SELECT fence, worker, started_at, settled_at AS ended_at, state AS result, NULL AS error, NULL AS log
       FROM pawl.task WHERE id = ${id} AND state = 'succeeded' AND fence = 1`,
    ),
    all<AttemptRow>(
      sql`SELECT fence, worker, started_at, ended_at, result, error, log FROM pawl.attempt
       WHERE task = (SELECT ${ATTEMPT_KEY} FROM pawl.task AS t WHERE t.id = ${id}) ORDER BY fence`,
    ),
  ]);
  return (kept.length > 0 ? kept : plain).map(({ started_at, ended_at, worker, ...row }) => {
    const endedAt = ended_at ?? 0;
    const { fence, result, error, log } = row;
    return { fence, worker: worker ?? "", startedAt: started_at ?? endedAt, endedAt, result, error, log };
  });
}
