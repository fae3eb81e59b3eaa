import { PawlError } from "../../errors.ts";
import type { ChildPage, ChildRecord, GroupRecord, GroupState, NewGroup, TaskState } from "../contract.ts";
import type { Moves } from "./moves.ts";
import { stateTerm } from "./selector.ts";
import type { Session } from "./session.ts";
import { fromText, scalars, texts } from "./values.ts";

export interface GroupRow {
  readonly id: string;
  readonly children: number | null;
  readonly need: number | null;
  readonly callback: string;
  readonly state: GroupState;
  readonly succeeded: number;
  readonly failed: number;
}

/** The columns of a GroupRow. */
export const GROUP_ROW = "j.id, j.children, j.need, j.callback, j.state, j.succeeded, j.failed";

/**
 * Locks groups, always in the same order and before the tasks that are their children: a group that fails goes on to its
 * children, and whoever settles one of these must not wait for the group with the child in its hands.
 */
export async function lockGroups(session: Session, ids: Iterable<string>): Promise<Map<string, GroupState>> {
  const rows = await session.all<{ id: string; state: GroupState }>(
    "SELECT j.id, j.state FROM pawl.task_group AS j WHERE j.id = ANY($1::text[]) ORDER BY j.id FOR UPDATE",
    [texts([...ids])],
  );
  return new Map(rows.map(({ id, state }) => [id, state]));
}

/**
 * The same for the groups of the tasks `t` that a condition names; sent along with the next statement. Where the condition
 * names single tasks, those are looked up; otherwise the children of all groups are looked through.
 */
export function lockGroupsOf(
  session: Session,
  condition: string,
  values: readonly (string | number | boolean | null | Buffer)[],
  { single }: { readonly single: boolean },
): void {
  const children = single ? "true" : "t.group_id IS NOT NULL";
  session.later(
    `SELECT FROM pawl.task_group AS j
     WHERE j.id = ANY(ARRAY(SELECT t.group_id FROM pawl.task AS t WHERE ${children} AND ${condition}))
     ORDER BY j.id FOR UPDATE`,
    values,
  );
}

/** Stores groups whose ids are new, in a transaction. One without children lets its callback go at once. */
export async function addGroups(moves: Moves, groups: readonly NewGroup[], location: string): Promise<void> {
  if (groups.length === 0) return;
  const callbacks = texts(groups.map(({ callback }) => callback));
  const there = await moves.session.all<{ id: string }>(
    "SELECT id FROM pawl.task WHERE id = ANY($1::text[])",
    [callbacks],
  );
  const found = new Set(there.map(({ id }) => id));
  for (const { id, callback } of groups) {
    if (found.has(callback)) continue;
    throw new PawlError(
      "store.no-callback",
      `The callback ${callback} of the group ${id} is not in the store ${location}: enqueue it, held, in the same step.`,
    );
  }
  const added = await moves.session.all<{ id: string }>(
    `INSERT INTO pawl.task_group (id, callback, children, need)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) ON CONFLICT (id) DO NOTHING RETURNING id`,
    [
      texts(groups.map(({ id }) => id)),
      callbacks,
      scalars(groups.map(({ children }) => children)),
      scalars(groups.map(({ need }) => (need === "all" ? null : need))),
    ],
  );
  for (const { id } of added) moves.join(id);
}

/** Says how many children a group has, in a transaction. Saying the same again changes nothing. */
export async function closeGroup(
  moves: Moves,
  id: string,
  children: number,
  location: string,
): Promise<void> {
  const group = await moves.session.get<{ children: number | null }>(
    "SELECT children FROM pawl.task_group WHERE id = $1 FOR UPDATE",
    [id],
  );
  if (group === undefined) {
    throw new PawlError(
      "store.no-such-group",
      `The store ${location} has no group ${id}: enqueue it with its first children or before them.`,
    );
  }
  if (group.children === children) return;
  if (group.children !== null) {
    throw new PawlError(
      "store.group-closed",
      `The group ${id} has ${group.children} children already: it cannot be given ${children}.`,
    );
  }
  await moves.session.run("UPDATE pawl.task_group SET children = $2 WHERE id = $1", [id, children]);
  moves.join(id);
}

export async function findGroup(session: Session, id: string): Promise<GroupRecord | undefined> {
  const row = await session.get<GroupRow>(`SELECT ${GROUP_ROW} FROM pawl.task_group AS j WHERE j.id = $1`, [
    id,
  ]);
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
export async function listChildren(session: Session, group: string, page: ChildPage): Promise<ChildRecord[]> {
  const states = page.states === undefined ? "" : ` AND ${stateTerm(page.states)}`;
  const rows = await session.all<ChildRow>(
    `SELECT child_index, id, state, result, error${page.withMeta ? ", meta" : ", NULL AS meta"} FROM pawl.task
     WHERE group_id = $1 AND child_index > $2${states} ORDER BY child_index LIMIT $3`,
    [group, page.afterIndex ?? Number.MIN_SAFE_INTEGER, page.limit],
  );
  return rows.map(({ child_index, id, state, result, error, meta }) => {
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
