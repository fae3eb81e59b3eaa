import type { NewGroup, NewTask } from "../contract.ts";
import { assertStorable, duration } from "../storable.ts";
import { cancelExpiredHolders, cancelWaiting } from "./cancel.ts";
import type { Connection } from "./connection.ts";
import { addGroups, groupStates } from "./groups.ts";
import type { Moves } from "./moves.ts";
import { toText } from "./values.ts";

/** Stores tasks and groups that are new, in a transaction; returns the ids of those tasks. */
export function enqueue(
  db: Connection,
  tasks: readonly NewTask[],
  groups: readonly NewGroup[],
  moves: Moves,
): string[] {
  assertStorable(tasks, groups);
  const keys: string[] = [];
  const into = new Set<string>();
  for (const { unique, childOf } of tasks) {
    if (unique !== undefined) keys.push(unique);
    if (childOf !== undefined) into.add(childOf.group);
  }
  cancelExpiredHolders(db, keys, moves);
  const added = runsOfAlike(tasks).flatMap((run) => addAlike(db, run, moves));
  addGroups(db, groups, moves);
  cancelLate(db, into, moves);
  moves.wakes = true;
  return added;
}

function insert(columns: readonly string[]): string {
  const marks = columns.map(() => "?").join(", ");
  // Whichever of the unique indexes it is: id, unique key or place in a group.
  return `INSERT INTO task (${columns.join(", ")}, state) VALUES (${marks}, 'waiting') ON CONFLICT DO NOTHING`;
}

const COMMON = [
  ...["id", "queue", "name", "flow", "payload", "priority", "due", "created_at"],
  ...["meta", "retention_ms"],
];
/** What most tasks do without costs a sixth of the time to store them, though it is null. */
const RARE = ["expires_at", "unique_key", "bucket", "group_id", "child_index"];
const INSERT_COMMON = insert(COMMON);
const INSERT_WHOLE = insert([...COMMON, ...RARE]);

/** Many that differ in their ids and payloads only: half the work of one statement each. */
const INSERT_ALIKE = `
  INSERT INTO task (id, payload, queue, name, flow, priority, due, created_at, meta, retention_ms, state)
  SELECT value ->> 0, value ->> 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting' FROM json_each(?1) WHERE true
  ON CONFLICT DO NOTHING`;

/** Ids that are the same text within JSON. */
const PLAIN_ID = /^[\w-]+$/;

/** With fewer of them it is not worth while. */
const MANY = 8;

function isCommon({ expiresMs, unique, bucket, childOf }: NewTask): boolean {
  return (expiresMs ?? unique ?? bucket ?? childOf) === undefined;
}

function areAlike(a: NewTask, b: NewTask): boolean {
  return (
    a.name === b.name &&
    a.queue === b.queue &&
    a.flow === b.flow &&
    a.priority === b.priority &&
    a.held === b.held &&
    a.delayMs === b.delayMs &&
    a.retentionMs === b.retentionMs &&
    a.meta === b.meta &&
    isCommon(b) &&
    PLAIN_ID.test(b.id)
  );
}

/** Cuts a list where the next task cannot be stored in one statement with those before it. */
function runsOfAlike(tasks: readonly NewTask[]): NewTask[][] {
  const runs: NewTask[][] = [];
  let first: NewTask | undefined;
  for (const task of tasks) {
    if (first !== undefined && areAlike(first, task)) runs.at(-1)?.push(task);
    else {
      runs.push([task]);
      first = isCommon(task) && PLAIN_ID.test(task.id) ? task : undefined;
    }
  }
  return runs;
}

/** Stores tasks that are alike, in a transaction; returns the ids of those that are new. */
function addAlike(db: Connection, run: readonly NewTask[], moves: Moves): string[] {
  const [first] = run;
  if (first === undefined || run.length < MANY) {
    return run.filter((task) => addTask(db, task, moves)).map(({ id }) => id);
  }
  const { queue, name, flow = null, priority = 0, retentionMs } = first;
  const now = db.clock.wall();
  const due = now + duration(first.delayMs ?? 0);
  const before = lastSeq(db);
  const count = db.run(
    INSERT_ALIKE,
    JSON.stringify(run.map(({ id, payload }) => [id, toText(payload)])),
    ...[queue, name, flow, priority, first.held ? null : due, now],
    ...[toText(first.meta), retentionMs === undefined ? null : duration(retentionMs)],
  );
  const after = lastSeq(db);
  if (count === run.length) {
    // Numbers are given one after the other, so it is known which are whose if no task was left out.
    let seq = after - count;
    return run.map(({ id }) => {
      moves.add({ seq: ++seq, queue, group_id: null }, null, "waiting");
      return id;
    });
  }
  const added = db.tuples<[number, string]>("SELECT seq, id FROM task WHERE seq > ? ORDER BY seq", before);
  return added.map(([seq, id]) => {
    moves.add({ seq, queue, group_id: null }, null, "waiting");
    return id;
  });
}

function lastSeq(db: Connection): number {
  return db.tuple<[number | null]>("SELECT max(seq) FROM task")?.[0] ?? 0;
}

/** Stores one task, in a transaction; false when its id, its unique key or its place in a group is taken. */
function addTask(db: Connection, task: NewTask, moves: Moves): boolean {
  const {
    id,
    queue,
    name,
    flow = null,
    priority = 0,
    unique,
    bucket,
    childOf,
    expiresMs,
    retentionMs,
  } = task;
  const now = db.clock.wall();
  const due = now + duration(task.delayMs ?? 0);
  const common = [
    ...[id, queue, name, flow, toText(task.payload), priority, task.held ? null : due, now],
    ...[toText(task.meta), retentionMs === undefined ? null : duration(retentionMs)],
  ];
  const seq = isCommon(task)
    ? db.insert(INSERT_COMMON, ...common)
    : db.insert(
        INSERT_WHOLE,
        ...common,
        expiresMs === undefined ? null : now + duration(expiresMs),
        unique ?? null,
        bucket ?? null,
        childOf?.group ?? null,
        childOf?.index ?? null,
      );
  if (seq === null) return false;
  moves.add({ seq, queue, group_id: childOf?.group ?? null }, null, "waiting");
  return true;
}

/** Children that come when their group has failed already are cancelled like those that were there. */
export function cancelLate(db: Connection, groups: ReadonlySet<string>, moves: Moves): void {
  for (const [id, state] of groupStates(db, groups)) {
    if (state === "failed") cancelWaiting(db, "group_id = ?", [id], moves);
  }
}
