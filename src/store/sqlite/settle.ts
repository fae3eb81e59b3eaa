import type { SQLInputValue } from "node:sqlite";
import type { NewTask, Outcome, Settlement, TaskState } from "../contract.ts";
import { type AttemptRow, addAttempt, isPlain } from "./attempts.ts";
import { HELD } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { CRASHED } from "./crash.ts";
import { addTask, enqueue } from "./enqueue.ts";
import { MOVED, type Moved, type Moves } from "./moves.ts";
import { duration, toText } from "./values.ts";

const ENDED = "settled_at = ?, prune_at = ? + retention_ms";

/** A task that was asked to stop does not go back in line: who hands it back has stopped. */
const BACK_IN_LINE = `
  state = iif(cancel_requested, 'cancelled', 'waiting'),
  due = iif(cancel_requested, NULL, ?),
  settled_at = iif(cancel_requested, ?, NULL),
  prune_at = iif(cancel_requested, ? + retention_ms, NULL)`;

interface Change {
  readonly set: string;
  readonly values: readonly SQLInputValue[];
}

/** What an outcome makes of the task. */
function change(outcome: Outcome, now: number): Change {
  switch (outcome.state) {
    case "succeeded":
      // What follows a task is cancelled with it.
      if (hasNext(outcome)) {
        return {
          set: `state = iif(cancel_requested, 'cancelled', 'succeeded'),
            result = iif(cancel_requested, result, ?), error = iif(cancel_requested, error, NULL), ${ENDED}`,
          values: [toText(outcome.result), now, now],
        };
      }
      return {
        set: `state = 'succeeded', result = ?, error = NULL, ${ENDED}`,
        values: [toText(outcome.result), now, now],
      };
    case "retry":
      return {
        set: `${BACK_IN_LINE}, failures = failures + 1, error = ?`,
        values: [now + duration(outcome.delayMs), now, now, outcome.error],
      };
    case "dead":
      return {
        set: `state = 'dead', failures = failures + 1, error = ?, ${ENDED}`,
        values: [outcome.error, now, now],
      };
    case "cancelled":
      return { set: `state = 'cancelled', ${ENDED}`, values: [now, now] };
    case "crashed":
      return {
        set: CRASHED,
        values: [now, now + duration(outcome.delayMs), outcome.poisonAfter],
      };
    case "snoozed": {
      const due = outcome.delayMs === null ? null : now + duration(outcome.delayMs);
      return { set: BACK_IN_LINE, values: [due, now, now] };
    }
  }
}

type Success = Extract<Outcome, { state: "succeeded" }>;

function hasNext({ next = [], joins = [] }: Success): boolean {
  return next.length > 0 || joins.length > 0;
}

interface Settled extends Moved, AttemptRow {
  readonly fence: number;
  readonly state: TaskState;
  readonly member_index: number | null;
}

/** Ends claims, in a transaction. */
export function settle(db: Connection, settlements: readonly Settlement[], moves: Moves): { lost: string[] } {
  const now = db.clock.wall();
  const lost: string[] = [];
  for (const { id, fence, outcome, log = null } of settlements) {
    const { set, values } = change(outcome, now);
    const task = db.get<Settled>(
      `UPDATE task SET ${set} WHERE ${HELD}
       RETURNING ${MOVED}, seq, worker, started_at, state, member_index`,
      ...values,
      id,
      fence,
    );
    if (task === undefined) {
      lost.push(id);
      continue;
    }
    if (!isPlain(fence, outcome, log)) {
      addAttempt(db, task, outcome.state, "error" in outcome ? outcome.error : null, log);
    }
    const passedOn = task.state === "succeeded" && follow(db, task, outcome as Success, moves);
    moves.add(passedOn ? { ...task, join_id: null } : task, "leased", task.state);
    if (task.state === "waiting") moves.wakes ||= outcome.state !== "snoozed" || outcome.delayMs !== null;
  }
  return { lost };
}

/** Enqueues what follows a task; true when one of these took its place in a join. */
function follow(db: Connection, task: Settled, outcome: Success, moves: Moves): boolean {
  const { next = [], joins = [], successor = null } = outcome;
  if (!hasNext(outcome)) return false;
  const heir = next.find(({ id }) => id === successor);
  const passedOn = heir !== undefined && task.join_id !== null && passOn(db, task, heir, moves);
  enqueue(db, passedOn ? next.filter((other) => other !== heir) : next, joins, moves);
  return passedOn;
}

/** Stores the successor in the task's place in its join; false when it cannot be stored, and the task stays there. */
function passOn(db: Connection, task: Settled, heir: NewTask, moves: Moves): boolean {
  const { seq, join_id, member_index } = task;
  const member = { join: join_id ?? "", index: member_index ?? 0 };
  const put = (join: string | null, index: number | null) =>
    db.run("UPDATE task SET join_id = ?, member_index = ? WHERE seq = ?", join, index, seq);
  put(null, null);
  if (addTask(db, heir, member, moves)) return true;
  put(join_id, member_index);
  return false;
}
