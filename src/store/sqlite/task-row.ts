import type { TaskRecord, TaskState } from "../contract.ts";
import { Columns } from "../json-text.ts";

/** The columns that a TaskRecord needs, in the order of a TaskRow. */
export const TASK_COLUMNS = `
  seq, id, queue, name, flow, state, priority, due, fence, worker, failures, crashes, cancel_requested,
  created_at, started_at, settled_at, expires_at, unique_key, bucket, group_id, child_index, error, progress, result,
  payload, meta`;

export type TaskRow = readonly [
  seq: number,
  id: string,
  queue: string,
  name: string,
  groupId: string | null,
  state: TaskState,
  priority: number,
  due: number | null,
  fence: number,
  worker: string | null,
  failures: number,
  crashes: number,
  cancelRequested: number,
  createdAt: number,
  startedAt: number | null,
  settledAt: number | null,
  expiresAt: number | null,
  uniqueKey: string | null,
  bucket: string | null,
  groupId: string | null,
  childIndex: number | null,
  error: string | null,
  progress: string,
  result: string,
  payload: string,
  meta: string,
];

export function toTask(row: TaskRow): TaskRecord {
  const [
    ,
    id,
    queue,
    name,
    flow,
    state,
    priority,
    due,
    fence,
    worker,
    failures,
    crashes,
    cancelRequested,
    createdAt,
    startedAt,
    settledAt,
    expiresAt,
    unique,
    bucket,
    group,
    index,
    error,
    progress,
    result,
    payload,
    meta,
  ] = row;
  const columns = new Columns();
  return {
    id,
    queue,
    name,
    flow,
    payload: columns.read(payload, "payload"),
    priority,
    state,
    due,
    fence,
    worker,
    failures,
    crashes,
    cancelRequested: cancelRequested === 1,
    progress: columns.read(progress, "progress"),
    result: columns.read(result, "result"),
    error,
    createdAt,
    startedAt,
    settledAt,
    expiresAt,
    unique,
    bucket,
    childOf: group === null || index === null ? null : { group, index },
    meta: columns.read(meta, "meta"),
    ...columns.damage,
  };
}

/** What a task that is released has behind it; ?1 is the time. It does not expire for having waited before. */
export const FORGOTTEN = `failures = 0, crashes = 0, cancel_requested = 0, error = NULL, settled_at = NULL,
  prune_at = NULL, expires_at = iif(expires_at <= ?1, NULL, expires_at)`;
