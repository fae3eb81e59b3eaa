import { PawlError } from "../../errors.ts";
import type { NewTask, StoreEnqueueOptions } from "../contract.ts";
import { enqueue } from "../sql/enqueue.ts";
import { all, type Procedure, statement } from "../sql/statement.ts";
import { assertStorable, duration } from "../storable.ts";
import { prepared } from "./connection.ts";
import { scalars, texts, toText } from "./dialect.ts";
import { brokenConstraint } from "./errors.ts";
import type { PostgresTask, PostgresTransitions } from "./state-transitions.ts";

/** After an id was taken that was thought to be new, so many batches are stored by a statement that looks for taken ids. */
const CHECKED_BATCHES = 20;

/** Runs work in a transaction, exactly once. */
type Transition = <R>(work: (transitions: PostgresTransitions) => Promise<R>) => Promise<R>;

/** Stores tasks as if all ids were new, as long as they are. */
export class OptimisticEnqueue {
  readonly #transition: Transition;
  /** How many of the next batches are not tried optimistically. */
  #checkedBatches = 0;

  constructor(transition: Transition) {
    this.#transition = transition;
  }

  async enqueue(tasks: readonly NewTask[], options: StoreEnqueueOptions): Promise<string[]> {
    const { groups = [], onOrdered = () => {} } = options;
    if (groups.length === 0 && this.#checkedBatches === 0 && mayBeNew(tasks)) {
      try {
        return await this.#transition((transitions) => enqueueNew(transitions, tasks, onOrdered));
      } catch (error) {
        if (!(error instanceof PawlError) || brokenConstraint(error.cause) !== "task_id") throw error;
        this.#checkedBatches = CHECKED_BATCHES;
      }
    }
    this.#checkedBatches = Math.max(0, this.#checkedBatches - 1);
    return await this.#transition(async (transitions) => {
      const ids = await transitions.connection.perform(enqueue(transitions, { insertTasks }, tasks, groups));
      onOrdered();
      return ids;
    });
  }
}

/** How many rows go into one statement, so that none takes long: as many as may share a block of numbers. */
const PAGE = 2_000;

/** A statement takes one number of the sequence, and its tasks so many that follow from it, in their order. */
const BLOCK = 2_048;

/** With fewer tasks than that, what a first try saves is not worth what it costs when it fails. */
const WORTH_A_TRY = 20;

/**
 * Stores tasks that are in no group and have no unique key, as long as all ids are new: a third less work than to look
 * for what is taken. Where one is not, it is an error of the server's, and nothing was stored. They have their position in
 * the order of enqueueing as soon as their numbers and their time are settled, so `onOrdered` is called while the server
 * still stores them: a caller that has more to store need not wait, and both cores of a small server have work.
 */
async function enqueueNew(
  transitions: PostgresTransitions,
  tasks: readonly NewTask[],
  onOrdered: () => void,
): Promise<string[]> {
  assertStorable(tasks, []);
  for (let start = 0; start < tasks.length; start += PAGE) {
    const taken = transitions.connection.run(TAKE_POSITION);
    taken.then(start + PAGE < tasks.length ? undefined : onOrdered, () => {});
    const page = tasks.slice(start, start + PAGE);
    const stored = transitions.connection.run(INSERT_NEW, valuesOf(page));
    await Promise.all([taken, stored]);
  }
  for (const { id, queue } of tasks)
    transitions.add({ id, queue, fence: 0, group_id: null }, null, "waiting");
  transitions.wakes = true;
  return tasks.map(({ id }) => id);
}

/** Whether `enqueueNew` is worth a try. */
function mayBeNew(tasks: readonly NewTask[]): boolean {
  return (
    tasks.length >= WORTH_A_TRY &&
    tasks.every(({ childOf, unique }) => childOf === undefined && unique === undefined)
  );
}

/** Stores tasks whose ids, unique keys or positions may be taken, in a transaction; returns the ids of those that were free. */
export function* insertTasks(
  transitions: PostgresTransitions,
  tasks: readonly NewTask[],
): Procedure<string[]> {
  const added: string[] = [];
  for (let start = 0; start < tasks.length; start += PAGE) {
    const page = tasks.slice(start, start + PAGE);
    for (const task of yield* all<PostgresTask>(statement(INSERT_FREE, valuesOf(page)))) {
      transitions.add(task, null, "waiting");
      added.push(task.id);
    }
  }
  return added;
}

/** `clock` gives the time and the block of numbers. */
function insert(clock: string, conflict: string, returning: string): string {
  return `WITH clock AS MATERIALIZED (SELECT ${clock}),
     fresh AS (INSERT INTO pawl.task AS t (seq, id, queue, name, flow, payload, priority, state, due, created_at,
       expires_at, unique_key, bucket, retention_ms, group_id, child_index, meta)
     SELECT clock.block * ${BLOCK} + n.position, n.id, n.queue, n.name, n.flow, n.payload, coalesce(n.priority, 0),
       'waiting', CASE WHEN n.held IS NULL THEN clock.now + coalesce(n.delay_ms, 0) END, clock.now,
       clock.now + n.expires_ms, n.unique_key, n.bucket, n.retention_ms, n.group_id, n.child_index, n.meta
     FROM clock,
       unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::boolean[], $8::bigint[],
         $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::bigint[], $15::text[])
       WITH ORDINALITY AS n (id, queue, name, flow, payload, priority, held, delay_ms, expires_ms, unique_key, bucket,
         retention_ms, group_id, child_index, meta, position)
     ORDER BY n.position ${conflict} RETURNING ${returning}t.due, t.seq, t.priority, t.queue, t.bucket),
     entries AS (
       INSERT INTO pawl.backlog (due, seq, priority, fence, queue, bucket)
       SELECT due, seq, priority, 0, queue, bucket FROM fresh WHERE due IS NOT NULL)`;
}

/** Settles the position of what comes next in the order of enqueueing: its time and its numbers, for this transaction. */
const TAKE_POSITION = prepared(
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
  )} SELECT id, queue, fence, group_id FROM fresh`,
);

function valuesOf(tasks: readonly NewTask[]): (string | null)[] {
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
    texts(tasks.map(({ childOf }) => childOf?.group)),
    scalars(tasks.map(({ childOf }) => childOf?.index)),
    texts(tasks.map(({ meta }) => toText(meta))),
  ];
}
