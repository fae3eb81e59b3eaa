import { PawlError } from "../../errors.ts";
import type { Page, TaskRecord, TaskSelector, TaskState } from "../contract.ts";
import { canBeHeld } from "../storable.ts";
import type { Fragment } from "./dialect.ts";
import { get, join, NOW, oneOf, type Procedure, raw, type Sql, sql, tuples } from "./statement.ts";
import { TASK_COLUMNS, type TaskRow, toTask } from "./task-row.ts";

const STATES: ReadonlySet<string> = new Set<TaskState>([
  "waiting",
  "leased",
  "succeeded",
  "dead",
  "cancelled",
]);

/** A condition on the state of a task. Written out, not bound: only then a planner sees which index serves. */
export function stateIn(states: readonly TaskState[]): Sql {
  const known = states.filter((state) => STATES.has(state));
  if (known.length === 1 && known[0] === "dead")
    return sql`${((dialect) => dialect.isDead) satisfies Fragment}`;
  return raw(known.length === 0 ? "false" : `t.state IN (${known.map((state) => `'${state}'`).join(", ")})`);
}

/** The condition of a selector. Throws a TypeError when it selects nothing in particular. */
export function matches(selector: TaskSelector): Sql {
  const { ids, states, olderMs, youngerMs, ...named } = selector;
  // What cannot be kept is in no row, and not every driver can even ask for it.
  if (!Object.values(named).every((each) => each === undefined || canBeHeld(each))) return raw("false");
  const { flow, queue, name, text, unique } = named;
  const terms: Sql[] = [];
  if (ids !== undefined) terms.push(sql`t.id ${oneOf(ids.filter(canBeHeld))}`);
  if (flow !== undefined) terms.push(sql`t.flow = ${flow}`);
  if (queue !== undefined) terms.push(sql`t.queue = ${queue}`);
  if (states !== undefined) terms.push(stateIn(states));
  if (name !== undefined) terms.push(sql`t.name = ${name}`);
  if (olderMs !== undefined) terms.push(sql`t.created_at <= ${NOW} - CAST(${olderMs} AS double precision)`);
  if (youngerMs !== undefined)
    terms.push(sql`t.created_at >= ${NOW} - CAST(${youngerMs} AS double precision)`);
  if (unique !== undefined) terms.push(sql`${(dialect, bind) => dialect.holdsKey([unique], bind)}`);
  if (text !== undefined) terms.push(sql`${(dialect, bind) => dialect.payloadHolds(text, bind)}`);
  if (terms.length === 0) throw new TypeError("A task selector needs at least one condition.");
  return join(terms, " AND ");
}

/** A page of the selected tasks. */
export function* query(selector: TaskSelector, page: Page, location: string): Procedure<TaskRecord[]> {
  const terms = [matches(selector)];
  if (page.after !== undefined) {
    const after = yield* get<{ seq: number }>(
      sql`SELECT t.seq FROM pawl.task AS t WHERE t.id = ${page.after}`,
    );
    if (after === undefined) {
      throw new PawlError(
        "store.no-such-task",
        `The store ${location} has no task ${page.after} any more to continue after: begin the list again.`,
      );
    }
    terms.push(page.newestFirst ? sql`t.seq < ${after.seq}` : sql`t.seq > ${after.seq}`);
  }
  const order = raw(page.newestFirst ? "DESC" : "ASC");
  const limit = page.limit === undefined ? raw("") : sql`LIMIT ${page.limit}`;
  const found = yield* tuples<TaskRow>(
    sql`SELECT ${raw(TASK_COLUMNS)} FROM pawl.task AS t WHERE ${join(terms, " AND ")} ORDER BY t.seq ${order} ${limit}`,
  );
  return found.map((row) => toTask(row));
}
