import type { Session } from "../connection.ts";
import { assertOfRows, mayBeOfRows } from "../errors.ts";
import type { Table } from "../table.ts";
import { isMutual, together } from "../together.ts";

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
