import type { TaskSelector, TaskState } from "../contract.ts";
import { canBeHeld } from "../storable.ts";
import type { Value } from "./session.ts";
import { texts } from "./values.ts";

interface Condition {
  readonly sql: string;
  readonly values: readonly Value[];
}

const STATES: ReadonlySet<string> = new Set<TaskState>([
  "waiting",
  "leased",
  "succeeded",
  "dead",
  "cancelled",
]);

/** A condition on the state. Written out, not bound, with what stands in an index: only then the planner sees it. */
export function stateTerm(states: readonly TaskState[]): string {
  const known = states.filter((state) => STATES.has(state)).map((state) => `'${state}'`);
  if (known.length === 0) return "false";
  if (known.length > 1) return `state IN (${known.join(", ")})`;
  return known[0] === "'dead'" ? "dead" : `state = ${known[0]}`;
}

/** The WHERE of a selector; its values are $1 and so on. Throws a TypeError when it selects nothing in particular. */
export function where(selector: TaskSelector): Condition {
  const terms: string[] = [];
  const values: Value[] = [];
  const term = (before: string, value: Value, after = "") => {
    values.push(value);
    terms.push(`${before} $${values.length}${after}`);
  };
  const { ids, states, olderMs, youngerMs, ...named } = selector;
  // What cannot be sent is in no row.
  const isAnywhere = Object.values(named).every((each) => each === undefined || canBeHeld(each));
  const { flow, queue, name, text, unique } = isAnywhere ? named : {};
  if (ids !== undefined) term("id = ANY(", texts(ids.filter(canBeHeld)), "::text[])");
  if (flow !== undefined) term("flow =", flow);
  if (queue !== undefined) term("queue =", queue);
  if (states !== undefined) terms.push(stateTerm(states));
  if (name !== undefined) term("name =", name);
  if (olderMs !== undefined) term("created_at <= (SELECT pawl.now_ms()) -", olderMs, "::double precision");
  if (youngerMs !== undefined)
    term("created_at >= (SELECT pawl.now_ms()) -", youngerMs, "::double precision");
  if (text !== undefined) term("strpos(lower(coalesce(payload, 'null')), lower(", text, "::text)) > 0");
  if (unique !== undefined) {
    term("open_key IS NOT NULL AND open_key =", unique);
  }
  if (!isAnywhere) terms.push("false");
  if (terms.length === 0) throw new TypeError("A task selector needs at least one condition.");
  return { sql: terms.join(" AND "), values };
}
