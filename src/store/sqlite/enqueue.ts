import type { NewTask } from "../contract.ts";
import { JsonText } from "../json-text.ts";
import type { StateTransitions } from "../sql/state-transitions.ts";
import { duration } from "../storable.ts";
import type { Connection } from "./connection.ts";

/** Stores the tasks whose id, unique key and position in a group are free, in a transaction; returns their ids. */
export function insertTasks(
  db: Connection,
  tasks: readonly NewTask[],
  transitions: StateTransitions,
): string[] {
  return runsOfAlike(tasks).flatMap((run) => addAlike(db, run, transitions));
}

function insert(columns: readonly string[]): string {
  const placeholders = columns.map(() => "?").join(", ");
  // Whichever of the unique indexes it is: id, unique key or position in a group.
  return `INSERT INTO task (${columns.join(", ")}, state) VALUES (${placeholders}, 'waiting') ON CONFLICT DO NOTHING`;
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
function addAlike(db: Connection, run: readonly NewTask[], transitions: StateTransitions): string[] {
  const [first] = run;
  if (first === undefined || run.length < MANY) {
    return run.filter((task) => addTask(db, task, transitions)).map(({ id }) => id);
  }
  const { queue, name, flow = null, priority = 0, retentionMs } = first;
  const now = db.clock.wall();
  const due = now + duration(first.delayMs ?? 0);
  const before = lastSeq(db);
  const count = db.run(
    INSERT_ALIKE,
    JSON.stringify(run.map(({ id, payload }) => [id, textOf(payload)])),
    ...[queue, name, flow, priority, first.held ? null : due, now],
    ...[textOf(first.meta), retentionMs === undefined ? null : duration(retentionMs)],
  );
  const added =
    count === run.length
      ? run.map(({ id }) => id)
      : db.tuples<[id: string]>("SELECT id FROM task WHERE seq > ? ORDER BY seq", before).map(([id]) => id);
  for (const id of added) transitions.add({ id, queue, fence: 0, group_id: null }, null, "waiting");
  return added;
}

function lastSeq(db: Connection): number {
  return db.tuple<[number | null]>("SELECT max(seq) FROM task")?.[0] ?? 0;
}

/** Stores one task, in a transaction; false when its id, its unique key or its position in a group is taken. */
function addTask(db: Connection, task: NewTask, transitions: StateTransitions): boolean {
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
    ...[id, queue, name, flow, textOf(task.payload), priority, task.held ? null : due, now],
    ...[textOf(task.meta), retentionMs === undefined ? null : duration(retentionMs)],
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
  transitions.add({ id, queue, fence: 0, group_id: childOf?.group ?? null }, null, "waiting");
  return true;
}

function textOf(value: NewTask["payload"] | undefined): string {
  return JsonText.of(value).text;
}
