import type { NewTask, TaskRecord, TaskSelector } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { where } from "./selector.ts";
import { type TaskRow, toTask } from "./task-row.ts";
import { duration, toText } from "./values.ts";

/** Stores tasks whose ids are new, in a transaction; returns those ids. */
export function enqueue(db: Connection, tasks: readonly NewTask[]): string[] {
  const now = db.clock.wall();
  const added = tasks.filter(
    (task) =>
      db.run(
        `INSERT INTO task (id, queue, name, group_id, payload, priority, state, due, created_at)
         VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?) ON CONFLICT (id) DO NOTHING`,
        task.id,
        task.queue,
        task.name,
        task.group ?? null,
        toText(task.payload),
        task.priority ?? 0,
        now + duration(task.delayMs ?? 0),
        now,
      ) === 1,
  );
  return added.map(({ id }) => id);
}

/** Cancels waiting tasks and asks the holders of leased ones, in a transaction. */
export function requestCancel(db: Connection, selector: TaskSelector): number {
  const { sql, values } = where(selector);
  return db.run(
    `UPDATE task SET cancel_requested = 1, due = NULL,
       settled_at = iif(state = 'waiting', ?, settled_at),
       state = iif(state = 'waiting', 'cancelled', state)
     WHERE ${sql} AND (state = 'waiting' OR state = 'leased')`,
    db.clock.wall(),
    ...values,
  );
}

/** Makes tasks claimable, in a transaction. One that is due already keeps its place in the line. */
export function release(db: Connection, selector: TaskSelector): number {
  const { sql, values } = where(selector);
  const now = db.clock.wall();
  return db.run(
    `UPDATE task SET state = 'waiting', due = min(coalesce(due, ?), ?), failures = 0, crashes = 0,
       cancel_requested = 0, error = NULL, settled_at = NULL
     WHERE ${sql} AND state IN ('waiting', 'dead', 'cancelled')`,
    now,
    now,
    ...values,
  );
}

/** The selected tasks in order of enqueueing. */
export function query(db: Connection, selector: TaskSelector): TaskRecord[] {
  const { sql, values } = where(selector);
  return db.all<TaskRow>(`SELECT * FROM task WHERE ${sql} ORDER BY seq`, ...values).map(toTask);
}
