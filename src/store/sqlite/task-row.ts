import type { TaskRecord, TaskState } from "../contract.ts";
import { fromText } from "./values.ts";

/** A row of the table `task`, as far as a TaskRecord needs it. */
export interface TaskRow {
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly group_id: string | null;
  readonly state: TaskState;
  readonly priority: number;
  readonly due: number | null;
  readonly fence: number;
  readonly worker: string | null;
  readonly failures: number;
  readonly crashes: number;
  readonly cancel_requested: number;
  readonly created_at: number;
  readonly settled_at: number | null;
  readonly error: string | null;
  readonly progress: string;
  readonly result: string;
  readonly payload: string;
}

export function toTask(row: TaskRow): TaskRecord {
  return {
    id: row.id,
    queue: row.queue,
    name: row.name,
    group: row.group_id,
    payload: fromText(row.payload),
    priority: row.priority,
    state: row.state,
    due: row.due,
    fence: row.fence,
    worker: row.worker,
    failures: row.failures,
    crashes: row.crashes,
    cancelRequested: row.cancel_requested === 1,
    progress: fromText(row.progress),
    result: fromText(row.result),
    error: row.error,
    createdAt: row.created_at,
    settledAt: row.settled_at,
  };
}
