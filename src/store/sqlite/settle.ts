import type { SQLInputValue } from "node:sqlite";
import type { Outcome, Settlement, TaskState } from "../contract.ts";
import { duration } from "../storable.ts";
import { addAttempt, isPlain } from "./attempts.ts";
import { HELD } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { CRASHED } from "./crash.ts";
import { cancelLate, enqueue } from "./enqueue.ts";
import { findJoin } from "./joins.ts";
import type { Moves } from "./moves.ts";
import { among } from "./seqs.ts";
import { toText } from "./values.ts";

/** What must be known of a task that is settled. */
type Held = readonly [
  seq: number,
  queue: string,
  join: string | null,
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

function change(task: Held, outcome: Outcome, now: number): Change {
  const cancelled = task[4] === 1;
  switch (outcome.state) {
    case "succeeded":
      // What follows a task is cancelled with it.
      if (cancelled && hasNext(outcome)) return { state: "cancelled", sql: CANCEL, values: [now, now] };
      return { state: "succeeded", sql: SUCCEED, values: [toText(outcome.result), now, now] };
    case "dead":
      return { state: "dead", sql: DIE, values: [outcome.error, now, now] };
    case "cancelled":
      return { state: "cancelled", sql: CANCEL, values: [now, now] };
    case "crashed": {
      const values = [now, now + duration(outcome.delayMs), outcome.poisonAfter];
      const ended = task[5] + 1 >= outcome.poisonAfter ? "dead" : "waiting";
      return { state: cancelled ? "cancelled" : ended, sql: CRASH, values };
    }
    case "retry": {
      const due = now + duration(outcome.delayMs);
      // A task that was asked to stop does not go back in line: who hands it back has stopped.
      if (cancelled) return { state: "cancelled", sql: CANCEL_FAILED, values: [outcome.error, now, now] };
      return { state: "waiting", sql: WAIT_FAILED, values: [outcome.error, due] };
    }
    case "snoozed": {
      const due = outcome.delayMs === null ? null : now + duration(outcome.delayMs);
      if (cancelled) return { state: "cancelled", sql: CANCEL, values: [now, now] };
      return { state: "waiting", sql: WAIT, values: [due] };
    }
  }
}

type Success = Extract<Outcome, { state: "succeeded" }>;

function hasNext({ next = [], joins = [] }: Success): boolean {
  return next.length > 0 || joins.length > 0;
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
function isPlainSuccess({ fence, outcome, log }: Settlement): boolean {
  return (
    outcome.state === "succeeded" &&
    toText(outcome.result) === "null" &&
    outcome.meta === undefined &&
    !hasNext(outcome) &&
    isPlain(fence, outcome.state, log)
  );
}

/**
 * Settles what is alike in one statement, where it is held and in no join, which takes half the time. Returns what it
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
     WHERE task.id = j.value AND fence = 1 AND state = 'leased' AND join_id IS NULL GROUP BY seq`,
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
  for (const [, seq, queue] of rows) moves.add({ seq, queue, join_id: null }, "leased", "succeeded");
  return new Set(rows.map(([place]) => plain[place] as Settlement));
}

/** Ends a claim; false when it is no longer held. */
function settleOne(db: Connection, settlement: Settlement, now: number, moves: Moves): boolean {
  const { id, fence, outcome, log } = settlement;
  // Read and then written: a RETURNING costs more than both.
  const task = db.tuple<Held>(
    `SELECT seq, queue, join_id, member_index, cancel_requested, crashes FROM task WHERE ${HELD}`,
    id,
    fence,
  );
  if (task === undefined) return false;
  const [seq, queue, join] = task;
  const { state, sql, values } = change(task, outcome, now);
  db.run(sql, ...values, seq);
  if (state === "succeeded" && outcome.state === "succeeded" && outcome.meta !== undefined) {
    db.run("UPDATE task SET meta = ? WHERE seq = ?", toText(outcome.meta), seq);
  }
  if (!isPlain(fence, state, log)) {
    addAttempt(db, seq, outcome.state, "error" in outcome ? outcome.error : null, log ?? null);
  }
  const passedOn = state === "succeeded" && outcome.state === "succeeded" && follow(db, task, outcome, moves);
  moves.add({ seq, queue, join_id: passedOn ? null : join }, "leased", state);
  // One that is held wakes nobody.
  if (state === "waiting" && !(outcome.state === "snoozed" && outcome.delayMs === null)) moves.wakes = true;
  return true;
}

/** Enqueues what follows a task; true when one of these took its place in a join. */
function follow(db: Connection, [seq, , join, index]: Held, outcome: Success, moves: Moves): boolean {
  const { next = [], joins = [], successor = null } = outcome;
  if (!hasNext(outcome)) return false;
  const hasPlace = join !== null && index !== null && findJoin(db, join) !== undefined;
  if (!hasPlace || successor === null || !next.some(({ id }) => id === successor)) {
    enqueue(db, next, joins, moves);
    return false;
  }
  // A place is one task's only, so the successor is stored without and then given it.
  const tasks = next.map(({ member, ...task }) =>
    member && task.id !== successor ? { ...task, member } : task,
  );
  if (!enqueue(db, tasks, joins, moves).includes(successor)) return false;
  db.run("UPDATE task SET join_id = NULL, member_index = NULL WHERE seq = ?", seq);
  db.run("UPDATE task SET join_id = ?, member_index = ? WHERE id = ?", join, index, successor);
  cancelLate(db, new Set([join]), moves);
  return true;
}
