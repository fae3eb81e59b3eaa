import type { TaskRecord, TaskState } from "../contract.ts";
import { Columns } from "../json-text.ts";

/** A row of the table `task`, as far as a TaskRecord needs it. */
export interface TaskRow {
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly flow: string | null;
  readonly state: TaskState;
  readonly priority: number;
  readonly due: number | null;
  readonly fence: number;
  readonly worker: string | null;
  readonly failures: number;
  readonly crashes: number;
  readonly cancel_requested: boolean;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly settled_at: number | null;
  readonly expires_at: number | null;
  readonly unique_key: string | null;
  readonly bucket: string | null;
  readonly group_id: string | null;
  readonly child_index: number | null;
  readonly error: string | null;
  readonly progress: string | null;
  readonly result: string | null;
  readonly payload: string | null;
  readonly meta: string | null;
}

/** What is the same for all tasks that are just being claimed. */
export type OfAllClaimed = Pick<TaskRow, "state" | "due" | "worker" | "settled_at">;

/** The other columns of a TaskRow of the table `t`. Named, because a later version may add others. */
export const CLAIMED_ROW = `t.seq, t.id, t.queue, t.name, t.flow, t.priority, t.fence, t.failures, t.crashes,
  t.cancel_requested, t.created_at, t.started_at, t.expires_at, t.unique_key, t.bucket, t.group_id, t.child_index,
  t.error, t.progress, t.result, t.payload, t.meta`;

/** All of them. */
export const TASK_ROW = `${CLAIMED_ROW}, t.state, t.due, t.worker, t.settled_at`;

/** A record of a row, which may lack what is the same for many. */
export function toTask(row: Omit<TaskRow, keyof OfAllClaimed>, others: OfAllClaimed): TaskRecord {
  const columns = new Columns();
  return {
    id: row.id,
    queue: row.queue,
    name: row.name,
    flow: row.flow,
    payload: columns.read(row.payload, "payload"),
    priority: row.priority,
    state: others.state,
    due: others.due,
    fence: row.fence,
    worker: others.worker,
    failures: row.failures,
    crashes: row.crashes,
    cancelRequested: row.cancel_requested,
    progress: columns.read(row.progress, "progress"),
    result: columns.read(row.result, "result"),
    error: row.error,
    createdAt: row.created_at,
    startedAt: row.started_at,
    settledAt: others.settled_at,
    expiresAt: row.expires_at,
    unique: row.unique_key,
    bucket: row.bucket,
    childOf:
      row.group_id === null || row.child_index === null
        ? null
        : { group: row.group_id, index: row.child_index },
    meta: columns.read(row.meta, "meta"),
    ...columns.damage,
  };
}

/** What a task that is released has behind it. It does not expire for having waited before. */
export const FORGOTTEN = `failures = 0, crashes = 0, cancel_requested = false, error = NULL, settled_at = NULL,
  prune_at = NULL, expires_at = CASE WHEN expires_at > (SELECT pawl.now_ms()) THEN expires_at END`;
