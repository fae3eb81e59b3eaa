import type { Json, TaskRecord, TaskState } from "../contract.ts";

/** The columns that differ between the tasks of one claim. Named, because a later version may add others. */
const OF_EACH = [
  ...["seq", "id", "queue", "name", "flow", "priority", "fence", "failures", "crashes", "cancel_requested"],
  ...["created_at", "started_at", "expires_at", "unique_key", "bucket", "group_id", "child_index", "error"],
  ...["progress", "result", "payload", "meta"],
];

/** Those that are the same for all tasks that are just being claimed. */
const OF_ALL_CLAIMED = ["state", "due", "worker", "settled_at"];

function ofTask(columns: readonly string[]): string {
  return columns.map((column) => `t.${column}`).join(", ");
}

/** The columns of the task `t` that a record needs, in the order of a TaskRow. */
export const TASK_COLUMNS = ofTask([...OF_EACH, ...OF_ALL_CLAIMED]);

/** Those of a task that is just being claimed: a ClaimedRow. */
export const CLAIMED_COLUMNS = ofTask(OF_EACH);

export type ClaimedRow = readonly [
  seq: number,
  id: string,
  queue: string,
  name: string,
  flow: string | null,
  priority: number,
  fence: number,
  failures: number,
  crashes: number,
  cancelRequested: boolean | number,
  createdAt: number,
  startedAt: number | null,
  expiresAt: number | null,
  unique: string | null,
  bucket: string | null,
  group: string | null,
  childIndex: number | null,
  error: string | null,
  progress: string | null,
  result: string | null,
  payload: string | null,
  meta: string | null,
];

export type TaskRow = readonly [
  ...ClaimedRow,
  state: TaskState,
  due: number | null,
  worker: string | null,
  settledAt: number | null,
];

type OfAllClaimed = Pick<TaskRecord, "state" | "due" | "worker" | "settledAt">;

/** The record of a row. */
export function toTask(row: TaskRow): TaskRecord {
  const [state, due, worker, settledAt] = row.slice(OF_EACH.length) as unknown as [
    state: TaskState,
    due: number | null,
    worker: string | null,
    settledAt: number | null,
  ];
  return recordOf(row as unknown as ClaimedRow, { state, due, worker, settledAt });
}

/** The record of a task that is just being claimed. */
export function toClaimedTask(row: ClaimedRow, worker: string): TaskRecord {
  return recordOf(row, { state: "leased", due: null, worker, settledAt: null });
}

function recordOf(row: ClaimedRow, { state, due, worker, settledAt }: OfAllClaimed): TaskRecord {
  const [
    ,
    id,
    queue,
    name,
    flow,
    priority,
    fence,
    failures,
    crashes,
    cancelRequested,
    createdAt,
    startedAt,
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
  const columns = new JsonColumns();
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
    cancelRequested: Boolean(cancelRequested),
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

/** Reads the JSON of one task. A column that is damaged reads as null and the record says so: it must not hold up other tasks. */
class JsonColumns {
  #damaged: string[] | null = null;

  read(text: string | null, column: string): Json {
    if (text === null || text === "null") return null;
    try {
      return JSON.parse(text) as Json;
    } catch {
      this.#damaged ??= [];
      this.#damaged.push(column);
      return null;
    }
  }

  /** What is wrong with the task, as part of its record. */
  get damage(): { readonly damaged?: string } {
    if (this.#damaged === null) return {};
    const columns = this.#damaged.join(" and its ");
    return {
      damaged: `Its ${columns} in the store is not JSON, so something other than Pawl has changed it: correct it there, and try again.`,
    };
  }
}
