import { assertOfRows, mayBeOfRows, sqlState } from "../errors.ts";
import type { Session } from "../session.ts";
import type { Table } from "../table.ts";

/** Whether the row was refused by a constraint that it may meet together with others; see `Table.mutual`. */
export function isMutual(error: unknown, { mutual }: Pick<Table, "mutual">): boolean {
  const { constraint } = error as { constraint?: string };
  return constraint !== undefined && mutual.includes(constraint) && sqlState(error) !== null;
}

/** So often the server is asked at most which of them it still complains about. */
const mostTries = 100;

/**
 * Tries those together that were refused alone for what others of them may bring, without the ones that the server still
 * complains about. `attempt` does it or takes it back, and always takes it back on trial. Removes from `refused` what could be done.
 */
export async function together(
  refused: Map<number, unknown>,
  attempt: (at: readonly number[], trial: boolean) => Promise<unknown>,
): Promise<void> {
  const candidates = new Map([...refused].map(([at, error]) => [at, complaint(error)] as const));
  for (let tries = 0; tries < mostTries && candidates.size > 1; tries++) {
    const error = await attempt([...candidates.keys()], false);
    if (error === null) {
      for (const at of candidates.keys()) refused.delete(at);
      return;
    }
    const about = complaint(error);
    const before = candidates.size;
    for (const [at, own] of candidates) if (own === about) candidates.delete(at);
    if (candidates.size < before) continue;
    // Alone, that one lacked something else first: it is found by leaving out one after the other.
    if (before > mostLeftOut) return;
    const culprit = await leftOut(candidates, about, attempt);
    if (culprit === null) return;
    candidates.delete(culprit);
  }
}

/** So many candidates are left out one by one at most. */
const mostLeftOut = 100;

/**
 * The one without which the server has something else to say, or nothing. Where it says then what it said of a single one,
 * that one lacks what was left out, which was no culprit.
 */
async function leftOut(
  candidates: ReadonlyMap<number, string>,
  about: string,
  attempt: (at: readonly number[], trial: boolean) => Promise<unknown>,
): Promise<number | null> {
  const known = new Set(candidates.values());
  for (const one of candidates.keys()) {
    const error = await attempt(
      [...candidates.keys()].filter((at) => at !== one),
      true,
    );
    if (error === null || (complaint(error) !== about && !known.has(complaint(error)))) return one;
  }
  return null;
}

/** What the server says of a row: the same for each row that lacks, or meets, the same. */
function complaint(error: unknown): string {
  const { code, constraint, detail } = (error ?? {}) as {
    code?: string;
    constraint?: string;
    detail?: string;
  };
  return `${code} ${constraint} ${detail}`;
}

/** What is done to some of the parts, and to one of them that the server refuses. */
export interface Parts<Result> {
  /** Does it in the open transaction; `at` are the numbers of the parts, in order. */
  work(at: readonly number[]): Promise<Result>;
  /** Called once the server has agreed, so that what is taken back is not counted. */
  done(result: Result): void;
  refuse(at: number, error: unknown): void;
}

/**
 * Does something to the parts in the open transaction; where the server refuses because of one of them, takes that back and
 * tries the halves, down to the ones that are to blame. Those that were refused alone are tried together: two rows may need
 * each other, such as two that swap a value. An error that is not about rows is thrown.
 */
export async function bisect<Result>(
  session: Session,
  table: Pick<Table, "mutual">,
  count: number,
  parts: Parts<Result>,
): Promise<void> {
  const refused = new Map<number, unknown>();
  let agreed = 0;
  const attempt = async (at: readonly number[], trial = false): Promise<unknown> => {
    await session.run("SAVEPOINT pawl_part");
    let result: Result;
    try {
      result = await parts.work(at);
      const end = trial ? "ROLLBACK TO SAVEPOINT pawl_part; RELEASE" : "RELEASE";
      await session.run(`SET CONSTRAINTS ALL IMMEDIATE; ${end} SAVEPOINT pawl_part`);
    } catch (error) {
      if (!mayBeOfRows(error)) throw error;
      await session.run("ROLLBACK TO SAVEPOINT pawl_part; RELEASE SAVEPOINT pawl_part");
      return error;
    }
    if (trial) return null;
    parts.done(result);
    agreed += at.length;
    return null;
  };
  const halve = async (at: readonly number[]): Promise<void> => {
    const [first] = at;
    if (first === undefined) return;
    const error = await attempt(at);
    if (error === null) return;
    if (at.length === 1) {
      refused.set(first, error);
      if (agreed === 0) assertOfRows(refused.values(), false);
      return;
    }
    const middle = at.length >> 1;
    await halve(at.slice(0, middle));
    await halve(at.slice(middle));
  };
  await halve(Array.from({ length: count }, (_, at) => at));
  const left = new Map([...refused].filter(([, error]) => isMutual(error, table)));
  const candidates = [...left.keys()];
  await together(left, attempt);
  for (const at of candidates) if (!left.has(at)) refused.delete(at);
  if (agreed === 0) assertOfRows(refused.values(), true);
  for (const [at, error] of refused) parts.refuse(at, error);
}
