/**
 * What becomes of a task whose claim ends: a pure function of the result and of what is known of the task, and the same
 * function as SQL. A driver that has read the task asks `changeOf` and writes the columns; one that settles many tasks in
 * one statement has all the cases written out by `setByCase`. Either way the cases are these.
 */
import type { TaskResult, TaskState } from "../contract.ts";

export type ResultState = TaskResult["state"];

/** What must be known besides the result. */
export interface Situation {
  /** The task was asked to stop. */
  readonly cancelRequested: boolean;
  /** Something is enqueued in the same step. */
  readonly hasNext: boolean;
  /** One more crash makes it poison. */
  readonly isPoison: boolean;
}

/** What is written of a task. Whatever else it has stays as it is. */
export interface TaskChange {
  readonly state: TaskState;
  /** `poisoned`: an error that says so. */
  readonly error?: "given" | "cleared" | "poisoned";
  readonly result?: "given";
  readonly adds?: "failures" | "crashes";
}

const SUCCEEDED: TaskChange = { state: "succeeded", error: "cleared", result: "given" };
const DEAD: TaskChange = { state: "dead", error: "given", adds: "failures" };
const CANCELLED: TaskChange = { state: "cancelled" };
const FAILED: TaskChange = { state: "waiting", error: "given", adds: "failures" };
const FAILED_AND_CANCELLED: TaskChange = { state: "cancelled", error: "given", adds: "failures" };
const HANDED_BACK: TaskChange = { state: "waiting" };
const CRASHED: TaskChange = { state: "waiting", adds: "crashes" };
const CRASHED_AND_CANCELLED: TaskChange = { state: "cancelled", adds: "crashes" };
const POISONED: TaskChange = { state: "dead", error: "poisoned", adds: "crashes" };

export function changeOf(result: ResultState, { cancelRequested, hasNext, isPoison }: Situation): TaskChange {
  switch (result) {
    case "succeeded":
      // What follows a task is cancelled with it.
      return cancelRequested && hasNext ? CANCELLED : SUCCEEDED;
    case "dead":
      return DEAD;
    case "cancelled":
      return CANCELLED;
    // A task that was asked to stop does not wait again: the worker that hands it back has stopped.
    case "retry":
      return cancelRequested ? FAILED_AND_CANCELLED : FAILED;
    case "snoozed":
      return cancelRequested ? CANCELLED : HANDED_BACK;
    case "crashed":
      if (cancelRequested) return CRASHED_AND_CANCELLED;
      return isPoison ? POISONED : CRASHED;
  }
}

/** The values of a change as SQL. */
export interface Expressions {
  readonly now: string;
  /** When a task that waits again may be claimed. */
  readonly due: string;
  readonly error: string;
  readonly result: string;
}

/** The SET that writes one change of the leased task `t`. */
export function setOf(change: TaskChange, expressions: Expressions): string {
  const columns = columnsOf(change, expressions);
  return Object.entries(columns)
    .flatMap(([column, value]) => (value === null ? [] : [`${column} = ${value}`]))
    .join(", ");
}

/** What each column of the leased task `t` is set to; null where it stays. */
function columnsOf({ state, error, result, adds }: TaskChange, { now, due, ...given }: Expressions) {
  const waits = state === "waiting";
  const errors = { given: given.error, cleared: "NULL", poisoned: POISONED_ERROR };
  return {
    state: `'${state}'`,
    due: waits ? due : null,
    settled_at: waits ? null : now,
    prune_at: waits ? null : `${now} + t.retention_ms`,
    failures: adds === "failures" ? "t.failures + 1" : null,
    crashes: adds === "crashes" ? "t.crashes + 1" : null,
    error: error === undefined ? null : errors[error],
    result: result === undefined ? null : given.result,
  };
}

const POISONED_ERROR =
  "'Poisoned: its worker died or lost it ' || (t.crashes + 1) || ' times without progress.'";

/** The questions of a Situation as SQL. */
export type Conditions = { readonly [Question in keyof Situation]?: string };

/**
 * The SET for results of several states, each case written out. `state` gives the state of the result, where there are
 * several; questions without a condition have the answer no.
 */
export function setByCase(
  results: readonly ResultState[],
  state: string,
  conditions: Conditions,
  expressions: Expressions,
): string {
  const questions = Object.entries(conditions) as [keyof Situation, string][];
  const columns = [
    "state",
    "due",
    "settled_at",
    "prune_at",
    "failures",
    "crashes",
    "error",
    "result",
  ] as const;
  const set: string[] = [];
  for (const column of columns) {
    const stays =
      column === "due" || column === "settled_at" || column === "prune_at" ? "NULL" : `t.${column}`;
    const valueIn = (result: ResultState, situation: Situation) =>
      columnsOf(changeOf(result, situation), expressions)[column] ?? stays;
    const cases = results.map((result) =>
      byAnswers(questions, NO, (situation) => valueIn(result, situation)),
    );
    const value = new Set(cases).size === 1 ? cases[0] : byResult(results, cases, state);
    if (value !== undefined && value !== stays) set.push(`${column} = ${value}`);
  }
  return set.join(", ");
}

const NO: Situation = { cancelRequested: false, hasNext: false, isPoison: false };

function byAnswers(
  questions: readonly [keyof Situation, string][],
  situation: Situation,
  valueIn: (situation: Situation) => string,
): string {
  const [first, ...rest] = questions;
  if (first === undefined) return valueIn(situation);
  const [question, condition] = first;
  const yes = byAnswers(rest, { ...situation, [question]: true }, valueIn);
  const no = byAnswers(rest, situation, valueIn);
  return yes === no ? yes : `CASE WHEN ${condition} THEN ${yes} ELSE ${no} END`;
}

function byResult(results: readonly ResultState[], cases: readonly string[], state: string): string {
  const branches = results.map((result, at) => `WHEN '${result}' THEN ${cases[at]}`);
  return `CASE ${state} ${branches.join(" ")} END`;
}
