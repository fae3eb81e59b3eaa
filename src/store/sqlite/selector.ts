import type { SQLInputValue } from "node:sqlite";
import type { TaskSelector, TaskState } from "../contract.ts";

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

/** The WHERE of a selector. Throws a TypeError when it selects nothing in particular. */
export function where(selector: TaskSelector): Condition {
  const terms: string[] = [];
  const values: SQLInputValue[] = [];
  if (selector.ids !== undefined) {
    terms.push("id IN (SELECT value FROM json_each(?))");
    values.push(JSON.stringify(selector.ids));
  }
  if (selector.group !== undefined) {
    terms.push("group_id = ?");
    values.push(selector.group);
  }
  if (selector.queue !== undefined) {
    terms.push("queue = ?");
    values.push(selector.queue);
  }
  if (selector.states !== undefined) {
    // Written out, not bound: only then does SQLite see that the index of leased tasks serves.
    const states = selector.states.filter((state) => STATES.has(state)).map((state) => `'${state}'`);
    terms.push(states.length === 1 ? `state = ${states[0]}` : `state IN (${states.join(", ")})`);
  }
  if (terms.length === 0) throw new TypeError("A task selector needs at least one condition.");
  return { sql: terms.join(" AND "), values };
}
