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

function insert(columns: readonly string[]): string {
  const marks = columns.map(() => "?").join(", ");
  // Whichever of the unique indexes it is: id, unique key or place in a join.
  return `INSERT INTO task (${columns.join(", ")}, state) VALUES (${marks}, 'waiting') ON CONFLICT DO NOTHING`;
}

const COMMON = [
  ...["id", "queue", "name", "group_id", "payload", "priority", "due", "created_at"],
  ...["meta", "retention_ms"],
];
/** What most tasks do without costs a sixth of the time to store them, though it is null. */
const RARE = ["expires_at", "unique_key", "lane", "join_id", "member_index"];
const INSERT_COMMON = insert(COMMON);
const INSERT_WHOLE = insert([...COMMON, ...RARE]);

/** Stores one task, in a transaction; false when its id, its unique key or its place in a join is taken. */
function addTask(db: Connection, task: NewTask, moves: Moves): boolean {
  const { id, queue, name, group = null, priority = 0, unique, lane, member, expiresMs, retentionMs } = task;
  const now = db.clock.wall();
  const due = now + duration(task.delayMs ?? 0);
  const common = [
    ...[id, queue, name, group, toText(task.payload), priority, task.held ? null : due, now],
    ...[toText(task.meta), retentionMs === undefined ? null : duration(retentionMs)],
  ];
  const isCommon = (expiresMs ?? unique ?? lane ?? member) === undefined;
  const seq = isCommon
    ? db.insert(INSERT_COMMON, ...common)
    : db.insert(
        INSERT_WHOLE,
        ...common,
        expiresMs === undefined ? null : now + duration(expiresMs),
        unique ?? null,
        lane ?? null,
        member?.join ?? null,
        member?.index ?? null,
      );
  if (seq === null) return false;
  moves.add({ seq, queue, join_id: member?.join ?? null }, null, "waiting");
  return true;
}

/** Members that come when their join has failed already are cancelled like those that were there. */
export function cancelLate(db: Connection, joins: readonly string[], moves: Moves): void {
  for (const [id, state] of joinStates(db, new Set(joins))) {
    if (state === "failed") cancelWaiting(db, "join_id = ?", [id], moves);
  }
}
