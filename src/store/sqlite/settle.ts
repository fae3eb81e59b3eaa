import type { SQLInputValue } from "node:sqlite";
import type { Settlement, TaskResult, TaskState } from "../contract.ts";
import { duration } from "../storable.ts";
import { addAttempt, isPlain } from "./attempts.ts";
import { HELD } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { CRASHED } from "./crash.ts";
import { cancelLate, enqueue } from "./enqueue.ts";
import { findGroup } from "./groups.ts";
import type { Moves } from "./moves.ts";
import { among } from "./seqs.ts";
import { toText } from "./values.ts";

/** What must be known of a task that is settled. */
type Held = readonly [
  seq: number,
  queue: string,
  group: string | null,
  index: number | null,
  cancelRequested: number,
  crashes: number,
];

/** What becomes of a task: its state, and the UPDATE that writes it. */
interface Change {
  readonly state: TaskState;
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

function update(set: string): string {
  return `UPDATE task SET ${set} WHERE seq = ?`;
}

function end(state: TaskState, more = ""): string {
  return update(`${more}state = '${state}', settled_at = ?, prune_at = ? + retention_ms`);
}

// Said once: a statement is looked up by its text, and most tasks end by one of these.
const FAILED = "failures = failures + 1, error = ?, ";
const SUCCEED = end("succeeded", "error = NULL, result = ?, ");
const DIE = end("dead", FAILED);
const CANCEL = end("cancelled");
const CANCEL_FAILED = end("cancelled", FAILED);
const CRASH = update(CRASHED);
const WAIT = update("state = 'waiting', due = ?");
const WAIT_FAILED = update(`${FAILED}state = 'waiting', due = ?`);

function change(task: Held, result: TaskResult, now: number): Change {
  const cancelled = task[4] === 1;
  switch (result.state) {
    case "succeeded":
      // What follows a task is cancelled with it.
      if (cancelled && hasNext(result)) return { state: "cancelled", sql: CANCEL, values: [now, now] };
      return { state: "succeeded", sql: SUCCEED, values: [toText(result.value), now, now] };
    case "dead":
      return { state: "dead", sql: DIE, values: [result.error, now, now] };
    case "cancelled":
      return { state: "cancelled", sql: CANCEL, values: [now, now] };
    case "crashed": {
      const values = [now, now + duration(result.delayMs), result.poisonAfter];
      const ended = task[5] + 1 >= result.poisonAfter ? "dead" : "waiting";
      return { state: cancelled ? "cancelled" : ended, sql: CRASH, values };
    }
    case "retry": {
      const due = now + duration(result.delayMs);
      // A task that was asked to stop does not go back in line: who hands it back has stopped.
      if (cancelled) return { state: "cancelled", sql: CANCEL_FAILED, values: [result.error, now, now] };
      return { state: "waiting", sql: WAIT_FAILED, values: [result.error, due] };
    }
    case "snoozed": {
      const due = result.delayMs === null ? null : now + duration(result.delayMs);
      if (cancelled) return { state: "cancelled", sql: CANCEL, values: [now, now] };
      return { state: "waiting", sql: WAIT, values: [due] };
    }
  }
}

type Success = Extract<TaskResult, { state: "succeeded" }>;

function hasNext({ next = [], groups = [] }: Success): boolean {
  return next.length > 0 || groups.length > 0;
}

/** Ends claims, in a transaction. */
export function settle(db: Connection, settlements: readonly Settlement[], moves: Moves): { lost: string[] } {
  const now = db.clock.wall();
  const plain = settlements.filter(isPlainSuccess);
  const alone = plain.length > 1 ? succeedAlone(db, plain, now, moves) : undefined;
  const rest = alone === undefined ? settlements : settlements.filter((settlement) => !alone.has(settlement));
  const lost = rest.filter((settlement) => !settleOne(db, settlement, now, moves));
  return { lost: lost.map(({ id }) => id) };
}

/** A first success without a result and a log, after which nothing follows. */
function isPlainSuccess({ fence, result, log }: Settlement): boolean {
  return (
    result.state === "succeeded" &&
    toText(result.value) === "null" &&
    result.meta === undefined &&
    !hasNext(result) &&
    isPlain(fence, result.state, log)
  );
}

/**
 * Settles what is alike in one statement, where it is held and in no group, which takes half the time. Returns what it
 * has settled.
 */
function succeedAlone(
  db: Connection,
  plain: readonly Settlement[],
  now: number,
  moves: Moves,
): Set<Settlement> {
  // Of two settlements of one claim the first one counts.
  const rows = db.tuples<[place: number, seq: number, queue: string]>(
    `SELECT min(j.key), seq, queue FROM json_each(?) AS j CROSS JOIN task
     WHERE task.id = j.value AND fence = 1 AND state = 'leased' AND group_id IS NULL GROUP BY seq`,
    JSON.stringify(plain.map(({ id }) => id)),
  );
  const these = among(rows.map(([, seq]) => seq));
  db.run(
    `UPDATE task SET state = 'succeeded', error = NULL, result = 'null', settled_at = ?, prune_at = ? + retention_ms
     WHERE ${these.sql}`,
    now,
    now,
    ...these.values,
  );
  for (const [, seq, queue] of rows) moves.add({ seq, queue, group_id: null }, "leased", "succeeded");
  return new Set(rows.map(([place]) => plain[place] as Settlement));
}

/** Ends a claim; false when it is no longer held. */
function settleOne(db: Connection, settlement: Settlement, now: number, moves: Moves): boolean {
  const { id, fence, result, log } = settlement;
  // Read and then written: a RETURNING costs more than both.
  const task = db.tuple<Held>(
    `SELECT seq, queue, group_id, child_index, cancel_requested, crashes FROM task WHERE ${HELD}`,
    id,
    fence,
  );
  if (task === undefined) return false;
  const [seq, queue, group] = task;
  const { state, sql, values } = change(task, result, now);
  db.run(sql, ...values, seq);
  if (state === "succeeded" && result.state === "succeeded" && result.meta !== undefined) {
    db.run("UPDATE task SET meta = ? WHERE seq = ?", toText(result.meta), seq);
  }
  if (!isPlain(fence, state, log)) {
    addAttempt(db, seq, result.state, "error" in result ? result.error : null, log ?? null);
  }
  const passedOn = state === "succeeded" && result.state === "succeeded" && follow(db, task, result, moves);
  moves.add({ seq, queue, group_id: passedOn ? null : group }, "leased", state);
  // One that is held wakes nobody.
  if (state === "waiting" && !(result.state === "snoozed" && result.delayMs === null)) moves.wakes = true;
  return true;
}

/** Enqueues what follows a task; true when one of these took its place in a group. */
function follow(db: Connection, [seq, , group, index]: Held, result: Success, moves: Moves): boolean {
  const { next = [], groups = [], successor = null } = result;
  if (!hasNext(result)) return false;
  const hasPlace = group !== null && index !== null && findGroup(db, group) !== undefined;
  if (!hasPlace || successor === null || !next.some(({ id }) => id === successor)) {
    enqueue(db, next, groups, moves);
    return false;
  }
  // A place is one task's only, so the successor is stored without and then given it.
  const tasks = next.map(({ childOf, ...task }) =>
    childOf && task.id !== successor ? { ...task, childOf } : task,
  );
  if (!enqueue(db, tasks, groups, moves).includes(successor)) return false;
  db.run("UPDATE task SET group_id = NULL, child_index = NULL WHERE seq = ?", seq);
  db.run("UPDATE task SET group_id = ?, child_index = ? WHERE id = ?", group, index, successor);
  cancelLate(db, new Set([group]), moves);
  return true;
}
