import { PawlError } from "../../errors.ts";
import type { ChildPage, ChildRecord, GroupRecord, GroupState, NewGroup, TaskState } from "../contract.ts";
import type { Connection } from "./connection.ts";
import type { Moves } from "./moves.ts";
import { stateTerm } from "./selector.ts";
import { fromText } from "./values.ts";

export interface GroupRow {
  readonly id: string;
  readonly children: number | null;
  readonly need: number | null;
  readonly callback: string;
  readonly state: GroupState;
  readonly succeeded: number;
  readonly failed: number;
}

function noSuchGroup(db: Connection, id: string): PawlError {
  return new PawlError(
    "store.no-such-group",
    `The store ${db.location} has no group ${id}: enqueue it with its first children or before them.`,
  );
}

/** Stores groups whose ids are new, in a transaction. One without children lets its callback go at once. */
export function addGroups(db: Connection, groups: readonly NewGroup[], moves: Moves): void {
  for (const { id, children, need, callback } of groups) {
    if (!db.has("SELECT 1 FROM task WHERE id = ?", callback)) {
      throw new PawlError(
        "store.no-callback",
        `The callback ${callback} of the group ${id} is not in the store ${db.location}: enqueue it, held, in the same step.`,
      );
    }
    const added = db.run(
      "INSERT INTO task_group (id, children, need, callback) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      id,
      children,
      need === "all" ? null : need,
      callback,
    );
    if (added === 1) moves.join(id);
  }
}

/** The states of the groups of new children; an unknown group is an error. */
export function groupStates(db: Connection, ids: ReadonlySet<string>): Map<string, GroupState> {
  const states = new Map<string, GroupState>();
  for (const id of ids) {
    const row = db.get<{ state: GroupState }>("SELECT state FROM task_group WHERE id = ?", id);
    if (row === undefined) throw noSuchGroup(db, id);
    states.set(id, row.state);
  }
  return states;
}

/** Says how many children a group has, in a transaction. Saying the same again changes nothing. */
export function closeGroup(db: Connection, id: string, children: number, moves: Moves): void {
  const group = findGroup(db, id);
  if (group === undefined) throw noSuchGroup(db, id);
  if (group.children === children) return;
  if (group.children !== null) {
    throw new PawlError(
      "store.group-closed",
      `The group ${id} has ${group.children} children already: it cannot be given ${children}.`,
    );
  }
  db.run("UPDATE task_group SET children = ? WHERE id = ?", children, id);
  moves.join(id);
}

export function findGroup(db: Connection, id: string): GroupRecord | undefined {
  const row = db.get<GroupRow>("SELECT * FROM task_group WHERE id = ?", id);
  return row && { ...row, need: row.need ?? "all" };
}

interface ChildRow {
  readonly child_index: number;
  readonly id: string;
  readonly state: TaskState;
  readonly result: string;
  readonly error: string | null;
  readonly meta: string;
}

/** A page of the children of a group, by index. */
export function listChildren(db: Connection, group: string, page: ChildPage): ChildRecord[] {
  const states = page.states === undefined ? "" : ` AND ${stateTerm(page.states)}`;
  const rows = db.all<ChildRow>(
    `SELECT child_index, id, state, result, error, ${page.withMeta ? "meta" : "'null' AS meta"} FROM task
     WHERE group_id = ? AND child_index > ?${states} ORDER BY child_index LIMIT ?`,
    group,
    page.afterIndex ?? Number.MIN_SAFE_INTEGER,
    page.limit,
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
