import { PawlError } from "../../errors.ts";
import type { GroupPosition, GroupState, NewGroup, NewTask } from "../contract.ts";
import { assertStorable, duration } from "../storable.ts";
import { cancelExpiredHolders, cancelWaiting } from "./cancel.ts";
import { addGroups, lockGroups } from "./groups.ts";
import { MOVED, type Moved, type Moves } from "./moves.ts";
import { prepared } from "./session.ts";
import { scalars, texts, toText } from "./values.ts";

/** How many rows go into one statement, so that none takes long: as many as may share a block of numbers. */
const PAGE = 2_000;

/** A statement takes one number of the sequence, and its tasks so many that follow from it, in their order. */
const BLOCK = 2_048;

/** With fewer tasks than that, what a first try saves is not worth what it costs when it fails. */
const WORTH_A_TRY = 20;

export interface Placed {
  readonly task: NewTask;
  readonly childOf: GroupPosition | undefined;
}

/** Stores tasks and groups that are new, in a transaction; returns the ids of those tasks. */
export async function enqueue(
  moves: Moves,
  tasks: readonly Placed[],
  groups: readonly NewGroup[],
  location: string,
): Promise<string[]> {
  assertStorable(
    tasks.map(({ task }) => task),
    groups,
  );
  const into = new Set(tasks.flatMap(({ childOf }) => childOf?.group ?? []));
  const known = into.size === 0 ? new Map<string, GroupState>() : await lockGroups(moves.session, into);
  for (const { id } of groups) if (!known.has(id)) known.set(id, "open");
  for (const id of into) {
    if (known.has(id)) continue;
    throw new PawlError(
      "store.no-such-group",
      `The store ${location} has no group ${id}: enqueue it with its first children or before them.`,
    );
  }
  await cancelExpiredHolders(
    moves,
    tasks.flatMap(({ task }) => task.unique ?? []),
  );
  const added: string[] = [];
  for (let start = 0; start < tasks.length; start += PAGE) {
    added.push(...(await addTasks(moves, tasks.slice(start, start + PAGE))));
  }
  await addGroups(moves, groups, location);
  for (const [id, state] of known) {
    if (state === "failed" && into.has(id)) await cancelWaiting(moves, "t.group_id = $1", [id]);
  }
  moves.wakes = true;
  return added;
}

/**
 * Stores tasks that are in no group and have no unique key, as long as all ids are new: a third less work than to look
 * for what is taken. Where one is not, it is an error of the server's, and nothing was stored. They have their place in
 * the order of enqueueing as soon as their numbers and their time are settled, so `placed` is called while the server
 * still stores them: whoever has more to store need not wait, and both cores of a small server have work.
 */
export async function enqueueNew(
  moves: Moves,
  tasks: readonly NewTask[],
  placed: () => void,
): Promise<string[]> {
  assertStorable(tasks, []);
  for (let start = 0; start < tasks.length; start += PAGE) {
    const taken = moves.session.run(TAKE_PLACE);
    taken.then(start + PAGE < tasks.length ? undefined : placed, () => {});
    const page = tasks.slice(start, start + PAGE);
    const stored = moves.session.run(
      INSERT_NEW,
      valuesOf(page.map((task) => ({ task, childOf: undefined }))),
    );
    await Promise.all([taken, stored]);
  }
  for (const { id, queue } of tasks) moves.add({ id, queue, fence: 0, group_id: null }, null, "waiting");
  moves.wakes = true;
  return tasks.map(({ id }) => id);
}

/** Whether `enqueueNew` is worth a try. */
export function mayBeNew(tasks: readonly NewTask[]): boolean {
  return (
    tasks.length >= WORTH_A_TRY &&
    tasks.every(({ childOf, unique }) => childOf === undefined && unique === undefined)
  );
}

/** Stores the tasks whose id, unique key and place in a group are free; returns their ids. */
async function addTasks(moves: Moves, placed: readonly Placed[]): Promise<string[]> {
  const rows = await moves.session.all<Moved>(INSERT_FREE, valuesOf(placed));
  for (const row of rows) moves.add(row, null, "waiting");
  return rows.map(({ id }) => id);
}

/** `clock` gives the time and the block of numbers. */
function insert(clock: string, conflict: string, returning: string): string {
  return `WITH clock AS MATERIALIZED (SELECT ${clock}),
     fresh AS (INSERT INTO pawl.task AS t (seq, id, queue, name, flow, payload, priority, state, due, created_at,
       expires_at, unique_key, bucket, retention_ms, group_id, child_index, meta)
     SELECT clock.block * ${BLOCK} + n.place, n.id, n.queue, n.name, n.flow, n.payload, coalesce(n.priority, 0),
       'waiting', CASE WHEN n.held IS NULL THEN clock.now + coalesce(n.delay_ms, 0) END, clock.now,
       clock.now + n.expires_ms, n.unique_key, n.bucket, n.retention_ms, n.group_id, n.child_index, n.meta
     FROM clock,
       unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::boolean[], $8::bigint[],
         $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::bigint[], $15::text[])
       WITH ORDINALITY AS n (id, queue, name, flow, payload, priority, held, delay_ms, expires_ms, unique_key, bucket,
         retention_ms, group_id, child_index, meta, place)
     ORDER BY n.place ${conflict} RETURNING ${returning}t.due, t.seq, t.priority, t.queue, t.bucket),
     line AS (
       INSERT INTO pawl.backlog (due, seq, priority, fence, queue, bucket)
       SELECT due, seq, priority, 0, queue, bucket FROM fresh WHERE due IS NOT NULL)`;
}

/** Settles the place of what comes next in the order of enqueueing: its time and its numbers, for this transaction. */
const TAKE_PLACE = prepared(
  "SELECT nextval('pawl.task_block'), set_config('pawl_task.due', pawl.now_ms()::text, true)",
);
const INSERT_NEW = prepared(
  `${insert("current_setting('pawl_task.due')::bigint AS now, currval('pawl.task_block') AS block", "", "")} SELECT`,
);
const INSERT_FREE = prepared(
  `${insert(
    "pawl.now_ms() AS now, nextval('pawl.task_block') AS block",
    "ON CONFLICT DO NOTHING",
    "t.id, t.fence, t.group_id, ",
  )} SELECT ${MOVED} FROM fresh AS t`,
);

function valuesOf(placed: readonly Placed[]): (string | null)[] {
  const tasks = placed.map(({ task }) => task);
  const ms = (value: number | undefined) => (value === undefined ? null : duration(value));
  return [
    texts(tasks.map(({ id }) => id)),
    texts(tasks.map(({ queue }) => queue)),
    texts(tasks.map(({ name }) => name)),
    texts(tasks.map(({ flow }) => flow)),
    texts(tasks.map(({ payload }) => toText(payload))),
    scalars(tasks.map(({ priority }) => priority || null)),
    scalars(tasks.map(({ held }) => held || null)),
    scalars(tasks.map(({ delayMs }) => ms(delayMs))),
    scalars(tasks.map(({ expiresMs }) => ms(expiresMs))),
    texts(tasks.map(({ unique }) => unique)),
    texts(tasks.map(({ bucket }) => bucket)),
    scalars(tasks.map(({ retentionMs }) => ms(retentionMs))),
    texts(placed.map(({ childOf }) => childOf?.group)),
    scalars(placed.map(({ childOf }) => childOf?.index)),
    texts(tasks.map(({ meta }) => toText(meta))),
  ];
}
