import type { NewJoin, NewTask } from "../contract.ts";
import { cancelWaiting } from "./cancel.ts";
import type { Connection } from "./connection.ts";
import { addJoins, joinStates } from "./joins.ts";
import type { Moves } from "./moves.ts";
import { duration, toText } from "./values.ts";

/** Stores tasks and joins that are new, in a transaction; returns the ids of those tasks. */
export function enqueue(
  db: Connection,
  tasks: readonly NewTask[],
  joins: readonly NewJoin[],
  moves: Moves,
): string[] {
  const added = tasks.filter((task) => addTask(db, task, moves)).map(({ id }) => id);
  addJoins(db, joins, moves);
  cancelLate(
    db,
    tasks.flatMap(({ member }) => member?.join ?? []),
    moves,
  );
  moves.wakes = true;
  return added;
}

/** Stores one task, in a transaction; false when its id, its unique key or its place in a join is taken. */
function addTask(db: Connection, task: NewTask, moves: Moves): boolean {
  const { member } = task;
  const now = db.clock.wall();
  const due = now + duration(task.delayMs ?? 0);
  const seq = db.insert(
    `INSERT INTO task (id, queue, name, group_id, payload, priority, state, due, created_at, expires_at, unique_key,
       lane, retention_ms, join_id, member_index, meta)
     VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    task.id,
    task.queue,
    task.name,
    task.group ?? null,
    toText(task.payload),
    task.priority ?? 0,
    task.held ? null : due,
    now,
    task.expiresMs === undefined ? null : now + duration(task.expiresMs),
    task.unique ?? null,
    task.lane ?? null,
    task.retentionMs === undefined ? null : duration(task.retentionMs),
    member?.join ?? null,
    member?.index ?? null,
    toText(task.meta),
  );
  if (seq === null) return false;
  moves.add({ seq, queue: task.queue, join_id: member?.join ?? null }, null, "waiting");
  return true;
}

/** Members that come when their join has failed already are cancelled like those that were there. */
export function cancelLate(db: Connection, joins: readonly string[], moves: Moves): void {
  for (const [id, state] of joinStates(db, new Set(joins))) {
    if (state === "failed") cancelWaiting(db, "join_id = ?", [id], moves);
  }
}
