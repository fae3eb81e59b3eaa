import { PawlError } from "../../errors.ts";
import type { ChildPage, ChildRecord, GroupRecord, GroupState, NewGroup, TaskState } from "../contract.ts";
import { fromText } from "../json-text.ts";
import { cancelOpen, SETTLED } from "./cancel.ts";
import { stateIn } from "./selector.ts";
import type { GroupChange, StateTransitions, Transitioned } from "./state-transitions.ts";
import {
  all,
  forUpdate,
  get,
  later,
  lock,
  lookup,
  NOW,
  oneOf,
  type Procedure,
  raw,
  rows,
  run,
  sql,
  TRANSITIONED,
} from "./statement.ts";

interface GroupRow {
  readonly id: string;
  readonly children: number | null;
  /** Null for all of them. */
  readonly need: number | null;
  readonly callback: string;
  readonly state: GroupState;
  readonly succeeded: number;
  readonly failed: number;
}

const GROUP_ROW = raw("id, children, need, callback, state, succeeded, failed");

export function noSuchGroup(id: string, location: string): PawlError {
  return new PawlError(
    "store.no-such-group",
    `The store ${location} has no group ${id}: enqueue it with its first children or before them.`,
  );
}

/**
 * Locks groups and returns their states. Always in the same order, and before the tasks that are their children: a group that
 * fails cancels its children, so a transaction that settles one of these must not wait for the group while it has locked the
 * child.
 */
export function* lockGroups(ids: readonly string[]): Procedure<Map<string, GroupState>> {
  const found = yield* all<{ id: string; state: GroupState }>(
    sql`SELECT id, state FROM pawl.task_group WHERE id ${oneOf(ids)} ORDER BY id ${forUpdate()}`,
  );
  return new Map(found.map(({ id, state }) => [id, state]));
}

/** Stores groups whose ids are new, in a transaction. One without children releases its callback at once. */
export function* addGroups(transitions: StateTransitions, groups: readonly NewGroup[]): Procedure<void> {
  const found = yield* all<{ id: string }>(
    sql`SELECT id FROM pawl.task WHERE id ${oneOf(groups.map(({ callback }) => callback))}`,
  );
  const stored = new Set(found.map(({ id }) => id));
  for (const { id, callback } of groups) {
    if (stored.has(callback)) continue;
    throw new PawlError(
      "store.no-callback",
      `The callback ${callback} of the group ${id} is not in the store ${transitions.location}: enqueue it, held, in the same step.`,
    );
  }
  const added = yield* all<{ id: string }>(
    sql`INSERT INTO pawl.task_group (id, callback, children, need)
     SELECT n.id, n.callback, n.children, n.need FROM ${rows("n", {
       id: ["text", groups.map(({ id }) => id)],
       callback: ["text", groups.map(({ callback }) => callback)],
       children: ["bigint", groups.map(({ children }) => children)],
       need: ["bigint", groups.map(({ need }) => (need === "all" ? null : need))],
     })} WHERE true ON CONFLICT (id) DO NOTHING RETURNING id`,
  );
  for (const { id } of added) transitions.group(id);
}

/** Sets how many children a group has, in a transaction. The same number again changes nothing. */
export function* closeGroup(transitions: StateTransitions, id: string, children: number): Procedure<void> {
  const group = yield* get<{ children: number | null }>(
    sql`SELECT children FROM pawl.task_group WHERE id = ${id} ${forUpdate()}`,
  );
  if (group === undefined) throw noSuchGroup(id, transitions.location);
  if (group.children === children) return;
  if (group.children !== null) {
    throw new PawlError(
      "store.group-closed",
      `The group ${id} has ${group.children} children already: it cannot be given ${children}.`,
    );
  }
  yield* run(sql`UPDATE pawl.task_group SET children = ${children} WHERE id = ${id}`);
  transitions.group(id);
}

export function* findGroup(id: string): Procedure<GroupRecord | undefined> {
  const row = yield* get<GroupRow>(sql`SELECT ${GROUP_ROW} FROM pawl.task_group WHERE id = ${id}`);
  return row && { ...row, need: row.need ?? "all" };
}

interface ChildRow {
  readonly child_index: number;
  readonly id: string;
  readonly state: TaskState;
  readonly result: string | null;
  readonly error: string | null;
  readonly meta: string | null;
}

/** A page of the children of a group, by index. */
export function* listChildren(group: string, page: ChildPage): Procedure<ChildRecord[]> {
  const states = page.states === undefined ? raw("") : sql` AND ${stateIn(page.states)}`;
  const found = yield* all<ChildRow>(
    sql`SELECT t.child_index, t.id, t.state, t.result, t.error, ${raw(page.withMeta ? "t.meta" : "NULL AS meta")}
     FROM pawl.task AS t WHERE t.group_id = ${group} AND t.child_index > ${page.afterIndex ?? Number.MIN_SAFE_INTEGER}${states}
     ORDER BY t.child_index LIMIT ${page.limit}`,
  );
  return found.map(({ child_index, id, state, result, error, meta }) => {
    const child = {
      index: child_index,
      task: id,
      state,
      result: fromText(result, `The result of task ${id}`),
      error,
    };
    return page.withMeta ? { ...child, meta: fromText(meta, `The meta of task ${id}`) } : child;
  });
}

/**
 * Counts the children that ended, in the transaction in which they did: a group whose children have all ended releases its callback, and one
 * whose `need` cannot be met any more fails. Both may settle the callback, which may be a child itself, so this continues outwards (and
 * inwards, where a child that is cancelled is a callback) until nothing changes. It does so in rounds, and by id within
 * one, so that every store has the same result when much happens at a time.
 */
export function* settleGroups(transitions: StateTransitions): Procedure<void> {
  for (let changes = transitions.takeGroups(); changes.size > 0; changes = transitions.takeGroups()) {
    const complete: GroupRow[] = [];
    for (const group of yield* count(changes)) {
      const change = changes.get(group.id) as GroupChange;
      if (yield* settleGroup(transitions, group, change)) complete.push(group);
    }
    if (complete.length > 0) yield* releaseCallbacks(transitions, complete);
  }
}

/** Adds to the counters of all these groups at once. A group that is missing was removed with its callback. */
function* count(changes: ReadonlyMap<string, GroupChange>): Procedure<GroupRow[]> {
  const ids = [...changes.keys()];
  const each = [...changes.values()];
  yield* lock(() => sql`SELECT id FROM pawl.task_group WHERE id ${oneOf(ids)} ORDER BY id FOR UPDATE`);
  const counted = yield* all<GroupRow>(
    sql`UPDATE pawl.task_group SET succeeded = succeeded + c.more_succeeded, failed = failed + c.more_failed
     FROM ${rows("c", {
       group_id: ["text", ids],
       more_succeeded: ["bigint", each.map(({ succeeded }) => succeeded)],
       more_failed: ["bigint", each.map(({ failed }) => failed)],
     })} WHERE ${lookup("id", "c.group_id")} RETURNING ${GROUP_ROW}`,
  );
  return counted.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Opens one group again or lets it fail, if that is due; true when its children have all ended. */
function* settleGroup(
  transitions: StateTransitions,
  group: GroupRow,
  change: GroupChange,
): Procedure<boolean> {
  if (group.state === "released") return false;
  const state = stateOf(group);
  if (group.state === "failed") {
    if (!change.reopen || state === "failed" || !(yield* holdCallback(transitions, group))) return false;
    yield* later(sql`UPDATE pawl.task_group SET state = 'open' WHERE id = ${group.id}`);
  }
  if (change.callbackEnded || state === "failed") yield* fail(transitions, group);
  else return state === "released";
  return false;
}

/** The state of an open group by its counters. */
function stateOf({
  children,
  need,
  succeeded,
  failed,
}: Pick<GroupRow, "children" | "need" | "succeeded" | "failed">): GroupState {
  // Until their number is known, more children may come.
  const isOutOfReach = need === null ? failed > 0 : children !== null && children - failed < need;
  if (isOutOfReach) return "failed";
  return children !== null && succeeded + failed >= children ? "released" : "open";
}

function* releaseCallbacks(transitions: StateTransitions, groups: readonly GroupRow[]): Procedure<void> {
  const ids = groups.map(({ id }) => id);
  const callbacks = groups.map(({ callback }) => callback);
  yield* later(sql`UPDATE pawl.task_group SET state = 'released' WHERE id ${oneOf(ids)}`);
  yield* later(
    sql`UPDATE pawl.task SET due = ${NOW} WHERE id ${oneOf(callbacks)} AND state = 'waiting' AND due IS NULL`,
  );
  transitions.wakes = true;
}

type FailedChild = Omit<ChildRecord, "result">;

function* fail(transitions: StateTransitions, group: GroupRow): Procedure<void> {
  yield* later(sql`UPDATE pawl.task_group SET state = 'failed' WHERE id = ${group.id}`);
  // Asked before the others are cancelled, which fail by that as well.
  const first = yield* get<FailedChild>(
    sql`SELECT child_index AS "index", id AS task, state, error FROM pawl.task
     WHERE group_id = ${group.id} AND state IN ('dead', 'cancelled') ORDER BY settled_at, child_index LIMIT 1`,
  );
  const callback = yield* get<Transitioned>(
    sql`UPDATE pawl.task SET state = 'dead', due = NULL, error = ${failureOf(group, first)}, ${SETTLED}
     WHERE id = ${group.callback} AND state = 'waiting' RETURNING ${TRANSITIONED}`,
  );
  if (callback !== undefined) transitions.add(callback, "waiting", "dead");
  yield* cancelOpen(transitions, sql`t.group_id = ${group.id}`);
}

/** Why the callback of a failed group is dead; `first` is the first child that failed. */
function failureOf({ children, need }: GroupRow, first: FailedChild | undefined): string {
  if (first === undefined) return `Of its ${children} children ${need} should succeed.`;
  const what = `Child ${first.index} (${first.task}) ${first.state === "dead" ? "failed" : "was cancelled"}`;
  return first.error === null ? `${what}.` : `${what}: ${first.error}`;
}

/** Holds the callback of a failed group again. False when there is none that could be, such as one whose key is taken. */
function* holdCallback(transitions: StateTransitions, group: GroupRow): Procedure<boolean> {
  const callback = yield* get<Transitioned & { state: TaskState }>(
    sql`SELECT ${TRANSITIONED}, state FROM pawl.task WHERE id = ${group.callback} ${forUpdate()}`,
  );
  if (callback === undefined) return false;
  if (callback.state !== "dead" && callback.state !== "cancelled") return true;
  const held = yield* run(
    sql`UPDATE pawl.task AS t SET state = 'waiting', due = NULL, ${FORGOTTEN}
     WHERE t.id = ${group.callback} AND ${KEY_IS_FREE}`,
  );
  if (held === 0) return false;
  transitions.add(callback, callback.state, "waiting");
  if (callback.group_id !== null) transitions.group(callback.group_id).reopen = true;
  return true;
}

/** The SET by which a task that is open again forgets its failures. It does not expire for having waited before. */
export const FORGOTTEN = sql`failures = 0, crashes = 0, cancel_requested = false, error = NULL, settled_at = NULL,
  prune_at = NULL, expires_at = CASE WHEN expires_at > ${NOW} THEN expires_at END`;

/** That no other task holds the unique key of the task `t`, so that it can be open again. */
export const KEY_IS_FREE = sql`(t.unique_key IS NULL OR NOT EXISTS (SELECT 1 FROM pawl.task AS o
  WHERE ${(dialect) => dialect.sharesKey("o", "t")} AND o.id <> t.id))`;

/**
 * That no group needs the task `t` any more. Children are kept until their callback has ended, which reads their results;
 * the callback until its group is over and all children have ended, which may still have a successor.
 */
export const IS_NOT_AWAITED = sql`NOT EXISTS (SELECT 1 FROM pawl.task_group AS g
      LEFT JOIN pawl.task AS c ON ${lookup("c.id", "g.callback")}
      WHERE ${lookup("g.id", "t.group_id")} AND (g.state = 'open' OR c.state IN ('waiting', 'leased')))
    AND NOT EXISTS (SELECT 1 FROM pawl.task_group AS g WHERE ${lookup("g.callback", "t.id")}
      AND (g.state = 'open' OR g.children IS NULL OR g.succeeded + g.failed < g.children))`;
