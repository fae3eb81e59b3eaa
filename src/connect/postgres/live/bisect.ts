import type { Session } from "../connection.ts";
import { blame } from "../errors.ts";

/**
 * Does something to the parts from `low` to `high` in the open transaction; where the server refuses because of one of
 * them, takes that back and tries the halves, down to the ones that are to blame. An error that is not about rows is
 * thrown.
 */
export async function bisect(
  session: Session,
  low: number,
  high: number,
  work: (low: number, high: number) => Promise<void>,
  refuse: (at: number, error: unknown) => void,
): Promise<void> {
  if (low >= high) return;
  await session.run("SAVEPOINT pawl_part");
  try {
    await work(low, high);
    await session.run("SET CONSTRAINTS ALL IMMEDIATE; RELEASE SAVEPOINT pawl_part");
    return;
  } catch (error) {
    if (blame(error) !== "row") throw error;
    await session.run("ROLLBACK TO SAVEPOINT pawl_part; RELEASE SAVEPOINT pawl_part");
    if (high - low === 1) {
      refuse(low, error);
      return;
    }
  }
  const middle = (low + high) >> 1;
  await bisect(session, low, middle, work, refuse);
  await bisect(session, middle, high, work, refuse);
}
