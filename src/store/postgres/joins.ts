import { PawlError } from "../../errors.ts";
import type { JoinRecord, JoinState, MemberPage, MemberRecord, NewJoin, TaskState } from "../contract.ts";
import type { Moves } from "./moves.ts";
import { stateTerm } from "./selector.ts";
import type { Session } from "./session.ts";
import { fromText, scalars, texts } from "./values.ts";

export interface JoinRow {
  readonly id: string;
  readonly members: number | null;
  readonly need: number | null;
  readonly body: string;
  readonly state: JoinState;
  readonly succeeded: number;
  readonly failed: number;
}

/** The columns of a JoinRow. */
export const JOIN_ROW = "j.id, j.members, j.need, j.body, j.state, j.succeeded, j.failed";

/**
 * Locks joins, always in the same order and before the tasks that are their members: a join that fails goes on to its
 * members, and whoever settles one of these must not wait for the join with the member in its hands.
 */
export async function lockJoins(session: Session, ids: Iterable<string>): Promise<Map<string, JoinState>> {
  const rows = await session.all<{ id: string; state: JoinState }>(
    "SELECT j.id, j.state FROM pawl.task_group AS j WHERE j.id = ANY($1::text[]) ORDER BY j.id FOR UPDATE",
    [texts([...ids])],
  );
  return new Map(rows.map(({ id, state }) => [id, state]));
}

/**
 * The same for the joins of the tasks `t` that a condition names; sent along with the next statement. Where the condition
 * names single tasks, those are looked up; otherwise the members of all joins are looked through.
 */
export function lockJoinsOf(
  session: Session,
  condition: string,
  values: readonly (string | number | boolean | null | Buffer)[],
  { single }: { readonly single: boolean },
): void {
  const members = single ? "true" : "t.group_id IS NOT NULL";
  session.later(
    `SELECT FROM pawl.task_group AS j
     WHERE j.id = ANY(ARRAY(SELECT t.group_id FROM pawl.task AS t WHERE ${members} AND ${condition}))
     ORDER BY j.id FOR UPDATE`,
    values,
  );
}

/** Stores joins whose ids are new, in a transaction. One without members lets its body go at once. */
export async function addJoins(moves: Moves, joins: readonly NewJoin[], location: string): Promise<void> {
  if (joins.length === 0) return;
  const bodies = texts(joins.map(({ body }) => body));
  const there = await moves.session.all<{ id: string }>(
    "SELECT id FROM pawl.task WHERE id = ANY($1::text[])",
    [bodies],
  );
  const found = new Set(there.map(({ id }) => id));
  for (const { id, body } of joins) {
    if (found.has(body)) continue;
    throw new PawlError(
      "store.no-body",
      `The body ${body} of the join ${id} is not in the store ${location}: enqueue it, held, in the same step.`,
    );
  }
  const added = await moves.session.all<{ id: string }>(
    `INSERT INTO pawl.task_group (id, body, members, need)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) ON CONFLICT (id) DO NOTHING RETURNING id`,
    [
      texts(joins.map(({ id }) => id)),
      bodies,
      scalars(joins.map(({ members }) => members)),
      scalars(joins.map(({ need }) => (need === "all" ? null : need))),
    ],
  );
  for (const { id } of added) moves.join(id);
}

/** Says how many members a join has, in a transaction. Saying the same again changes nothing. */
export async function sealJoin(moves: Moves, id: string, members: number, location: string): Promise<void> {
  const join = await moves.session.get<{ members: number | null }>(
    "SELECT members FROM pawl.task_group WHERE id = $1 FOR UPDATE",
    [id],
  );
  if (join === undefined) {
    throw new PawlError(
      "store.no-such-join",
      `The store ${location} has no join ${id}: enqueue it with its first members or before them.`,
    );
  }
  if (join.members === members) return;
  if (join.members !== null) {
    throw new PawlError(
      "store.sealed",
      `The join ${id} has ${join.members} members already: it cannot be given ${members}.`,
    );
  }
  await moves.session.run("UPDATE pawl.task_group SET members = $2 WHERE id = $1", [id, members]);
  moves.join(id);
}

export async function findJoin(session: Session, id: string): Promise<JoinRecord | undefined> {
  const row = await session.get<JoinRow>(`SELECT ${JOIN_ROW} FROM pawl.task_group AS j WHERE j.id = $1`, [
    id,
  ]);
  return row && { ...row, need: row.need ?? "all" };
}

interface MemberRow {
  readonly child_index: number;
  readonly id: string;
  readonly state: TaskState;
  readonly result: string | null;
  readonly error: string | null;
  readonly meta: string | null;
}

/** A page of the members of a join, by index. */
export async function listMembers(session: Session, join: string, page: MemberPage): Promise<MemberRecord[]> {
  const states = page.states === undefined ? "" : ` AND ${stateTerm(page.states)}`;
  const rows = await session.all<MemberRow>(
    `SELECT child_index, id, state, result, error${page.withMeta ? ", meta" : ", NULL AS meta"} FROM pawl.task
     WHERE group_id = $1 AND child_index > $2${states} ORDER BY child_index LIMIT $3`,
    [join, page.afterIndex ?? Number.MIN_SAFE_INTEGER, page.limit],
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
