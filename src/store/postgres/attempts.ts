import type { AttemptRecord, TaskResult, TaskState } from "../contract.ts";
import type { Session } from "./session.ts";
import { sought } from "./sought.ts";
import { scalars, storable, texts } from "./values.ts";

/** How many attempts of a task are kept. */
const KEPT = 100;

export interface Ended {
  readonly id: string;
  readonly fence: number;
  readonly result: TaskResult["state"];
  readonly error: string | null;
  readonly log: string | null;
  /** What the task came to. */
  readonly state: TaskState;
}

/** Whether the task's own row tells the whole attempt. Most tasks succeed at once, and cost one row only. */
function isPlain({ fence, state, log }: Ended): boolean {
  return fence === 1 && state === "succeeded" && log === null;
}

/** Keeps attempts that are over, in the transaction that ended them: their tasks still tell who made them. */
export function addAttempts(session: Session, ended: readonly Ended[]): void {
  const kept = ended.filter((attempt) => !isPlain(attempt));
  if (kept.length === 0) return;
  session.later(
    `INSERT INTO pawl.attempt (task, fence, worker, started_at, ended_at, outcome, error, log)
     SELECT t.id, e.fence, coalesce(t.worker, ''), coalesce(t.started_at, (SELECT pawl.now_ms())), (SELECT pawl.now_ms()), e.result,
       e.error, e.log
     FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[]) AS e (id, fence, result, error, log)
       JOIN pawl.task AS t ON ${sought("t.id", "e.id")}`,
    [
      texts(kept.map(({ id }) => id)),
      scalars(kept.map(({ fence }) => fence)),
      texts(kept.map(({ result }) => result)),
      texts(kept.map(({ error }) => error && storable(error))),
      texts(kept.map(({ log }) => log && storable(log))),
    ],
  );
  const long = kept.filter(({ fence }) => fence > KEPT);
  if (long.length === 0) return;
  session.later(
    `DELETE FROM pawl.attempt AS a USING unnest($1::text[], $2::integer[]) AS o (id, fence)
     WHERE ${sought("a.task", "o.id")} AND a.fence <= o.fence`,
    [texts(long.map(({ id }) => id)), scalars(long.map(({ fence }) => fence - KEPT))],
  );
}

interface AttemptRow {
  readonly fence: number;
  readonly worker: string | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly result: TaskState | TaskResult["state"];
  readonly error: string | null;
  readonly log: string | null;
}

/** The attempts of a task that are over, first to last. */
export async function listAttempts(session: Session, id: string): Promise<AttemptRecord[]> {
  const [task, kept] = await Promise.all([
    session.get<AttemptRow>(
      `SELECT fence, worker, started_at, settled_at AS ended_at, state AS result, NULL AS error, NULL AS log
       FROM pawl.task WHERE id = $1 AND state = 'succeeded' AND fence = 1`,
      [id],
    ),
    session.all<AttemptRow>(
      `SELECT fence, worker, started_at, ended_at, outcome AS result, error, log FROM pawl.attempt
       WHERE task = $1 ORDER BY fence`,
      [id],
    ),
  ]);
  const rows = kept.length > 0 || task === undefined ? kept : [task];
  return rows.map(({ fence, worker, started_at, ended_at, result, error, log }) => {
    const endedAt = ended_at ?? 0;
    return {
      fence,
      worker: worker ?? "",
      startedAt: started_at ?? endedAt,
      endedAt,
      result: result as TaskResult["state"],
      error,
      log,
    };
  });
}
