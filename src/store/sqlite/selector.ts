import type { SQLInputValue } from "node:sqlite";
import type { TaskSelector, TaskState } from "../contract.ts";
import { canBeHeld } from "../storable.ts";
import type { Connection } from "./connection.ts";

interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

const STATES: ReadonlySet<string> = new Set<TaskState>([
  "waiting",
  "leased",
  "succeeded",
  "dead",
  "cancelled",
]);

/** A condition on the state. Written out, not bound: only then does SQLite see which index serves. */
export function stateTerm(states: readonly TaskState[]): string {
  const known = states.filter((state) => STATES.has(state)).map((state) => `'${state}'`);
  return known.length === 1 ? `state = ${known[0]}` : `state IN (${known.join(", ")})`;
}

/** The WHERE of a selector. Throws a TypeError when it selects nothing in particular. */
export function where(db: Connection, selector: TaskSelector): Condition {
  const terms: string[] = [];
  const values: SQLInputValue[] = [];
  const term = (sql: string, ...bound: SQLInputValue[]) => {
    terms.push(sql);
    values.push(...bound);
  };
  const { ids, flow, queue, states, name, olderMs, youngerMs, text, unique } = selector;
  if (ids !== undefined)
    term("id IN (SELECT value FROM json_each(?))", JSON.stringify(ids.filter(canBeHeld)));
  if (flow !== undefined) term("flow = ?", flow);
  if (queue !== undefined) term("queue = ?", queue);
  if (states !== undefined) term(stateTerm(states));
  if (name !== undefined) term("name = ?", name);
  if (olderMs !== undefined) term("created_at <= ?", db.clock.wall() - olderMs);
  if (youngerMs !== undefined) term("created_at >= ?", db.clock.wall() - youngerMs);
  if (unique !== undefined) term("unique_key = ? AND state IN ('waiting', 'leased')", unique);
  if (text !== undefined) term("instr(pawl_lower(payload), ?) > 0", text.toLowerCase());
  if (![flow, queue, name, unique, text].every((each) => each === undefined || canBeHeld(each)))
    terms.push("false");
  if (terms.length === 0) throw new TypeError("A task selector needs at least one condition.");
  return { sql: terms.join(" AND "), values };
}
