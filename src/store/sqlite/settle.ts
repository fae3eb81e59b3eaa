import type { SQLInputValue } from "node:sqlite";
import type { Outcome, Settlement, TaskState } from "../contract.ts";
import { addAttempt, isPlain } from "./attempts.ts";
import { HELD } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { CRASHED } from "./crash.ts";
import { cancelLate, enqueue } from "./enqueue.ts";
import { findJoin } from "./joins.ts";
import type { Moves } from "./moves.ts";
import { duration, toText } from "./values.ts";

/** What must be known of a task that is settled. */
type Held = readonly [
  seq: number,
  queue: string,
  join: string | null,
  index: number | null,
  cancelRequested: number,
  crashes: number,
];

/** What becomes of a task: its state, and the SET of an UPDATE. */
interface Change {
  readonly state: TaskState;
  readonly set: string;
  readonly values: readonly SQLInputValue[];
}

function ended(state: TaskState, now: number, set = "", ...values: SQLInputValue[]): Change {
  const sql = `state = '${state}', settled_at = ?, prune_at = ? + retention_ms${set}`;
  return { state, set: sql, values: [now, now, ...values] };
}

function change(task: Held, outcome: Outcome, now: number): Change {
  const cancelled = task[4] === 1;
  /** A task that was asked to stop does not go back in line: who hands it back has stopped. */
  const backInLine = (delayMs: number | null, set = "", ...values: SQLInputValue[]): Change => {
    const due = delayMs === null ? null : now + duration(delayMs);
    if (cancelled) return ended("cancelled", now, set, ...values);
    return { state: "waiting", set: `state = 'waiting', due = ?${set}`, values: [due, ...values] };
  };
  switch (outcome.state) {
    case "succeeded":
      // What follows a task is cancelled with it.
      if (cancelled && hasNext(outcome)) return ended("cancelled", now);
      return ended("succeeded", now, ", error = NULL, result = ?", toText(outcome.result));
    case "retry":
      return backInLine(outcome.delayMs, ", failures = failures + 1, error = ?", outcome.error);
    case "dead":
      return ended("dead", now, ", failures = failures + 1, error = ?", outcome.error);
    case "cancelled":
      return ended("cancelled", now);
    case "crashed": {
      const poisoned = task[5] + 1 >= outcome.poisonAfter;
      return {
        state: cancelled ? "cancelled" : poisoned ? "dead" : "waiting",
        set: CRASHED,
        values: [now, now + duration(outcome.delayMs), outcome.poisonAfter],
      };
    }
    case "snoozed":
      return backInLine(outcome.delayMs);
  }
}

type Success = Extract<Outcome, { state: "succeeded" }>;

function hasNext({ next = [], joins = [] }: Success): boolean {
  return next.length > 0 || joins.length > 0;
}

/** Ends claims, in a transaction. */
export function settle(db: Connection, settlements: readonly Settlement[], moves: Moves): { lost: string[] } {
  const lost = settlements.filter((settlement) => !settleOne(db, settlement, moves));
  return { lost: lost.map(({ id }) => id) };
}

/** Ends a claim; false when it is no longer held. */
function settleOne(db: Connection, { id, fence, outcome, log }: Settlement, moves: Moves): boolean {
  // Read and then written: a RETURNING costs more than both.
  const task = db.tuple<Held>(
    `SELECT seq, queue, join_id, member_index, cancel_requested, crashes FROM task WHERE ${HELD}`,
    id,
    fence,
  );
  if (task === undefined) return false;
  const [seq, queue, join] = task;
  const { state, set, values } = change(task, outcome, db.clock.wall());
  db.run(`UPDATE task SET ${set} WHERE seq = ?`, ...values, seq);
  if (!isPlain(fence, outcome, log)) {
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
  cancelLate(db, [join], moves);
  return true;
}
