import { PawlError } from "../../errors.ts";
import type { JoinRecord, JoinState, MemberPage, MemberRecord, NewJoin, TaskState } from "../contract.ts";
import type { Connection } from "./connection.ts";
import type { Moves } from "./moves.ts";
import { stateTerm } from "./selector.ts";
import { fromText } from "./values.ts";

export interface JoinRow {
  readonly id: string;
  readonly members: number | null;
  readonly need: number | null;
  readonly body: string;
  readonly state: JoinState;
  readonly succeeded: number;
  readonly failed: number;
}

function noSuchJoin(db: Connection, id: string): PawlError {
  return new PawlError(
    "store.no-such-join",
    `The store ${db.location} has no join ${id}: enqueue it with its first members or before them.`,
  );
}

/** Stores joins whose ids are new, in a transaction. One without members lets its body go at once. */
export function addJoins(db: Connection, joins: readonly NewJoin[], moves: Moves): void {
  for (const { id, members, need, body } of joins) {
    if (!db.has("SELECT 1 FROM task WHERE id = ?", body)) {
      throw new PawlError(
        "store.no-body",
        `The body ${body} of the join ${id} is not in the store ${db.location}: enqueue it, held, in the same step.`,
      );
    }
    const added = db.run(
      "INSERT INTO task_group (id, members, need, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      id,
      members,
      need === "all" ? null : need,
      body,
    );
    if (added === 1) moves.join(id);
  }
}

/** The states of the joins of new members; an unknown join is an error. */
export function joinStates(db: Connection, ids: ReadonlySet<string>): Map<string, JoinState> {
  const states = new Map<string, JoinState>();
  for (const id of ids) {
    const row = db.get<{ state: JoinState }>("SELECT state FROM task_group WHERE id = ?", id);
    if (row === undefined) throw noSuchJoin(db, id);
    states.set(id, row.state);
  }
  return states;
}

/** Says how many members a join has, in a transaction. Saying the same again changes nothing. */
export function sealJoin(db: Connection, id: string, members: number, moves: Moves): void {
  const join = findJoin(db, id);
  if (join === undefined) throw noSuchJoin(db, id);
  if (join.members === members) return;
  if (join.members !== null) {
    throw new PawlError(
      "store.sealed",
      `The join ${id} has ${join.members} members already: it cannot be given ${members}.`,
    );
  }
  db.run("UPDATE task_group SET members = ? WHERE id = ?", members, id);
  moves.join(id);
}

export function findJoin(db: Connection, id: string): JoinRecord | undefined {
  const row = db.get<JoinRow>("SELECT * FROM task_group WHERE id = ?", id);
  return row && { ...row, need: row.need ?? "all" };
}

interface MemberRow {
  readonly child_index: number;
  readonly id: string;
  readonly state: TaskState;
  readonly result: string;
  readonly error: string | null;
  readonly meta: string;
}

/** A page of the members of a join, by index. */
export function listMembers(db: Connection, join: string, page: MemberPage): MemberRecord[] {
  const states = page.states === undefined ? "" : ` AND ${stateTerm(page.states)}`;
  const rows = db.all<MemberRow>(
    `SELECT child_index, id, state, result, error, ${page.withMeta ? "meta" : "'null' AS meta"} FROM task
     WHERE group_id = ? AND child_index > ?${states} ORDER BY child_index LIMIT ?`,
    join,
    page.afterIndex ?? Number.MIN_SAFE_INTEGER,
    page.limit,
  );
  return rows.map(({ child_index, id, state, result, error, meta }) => {
    const member = {
      index: child_index,
      task: id,
      state,
      result: fromText(result, `The result of task ${id}`),
      error,
    };
    return page.withMeta ? { ...member, meta: fromText(meta, `The meta of task ${id}`) } : member;
  });
}
