import type { Session } from "./connection.ts";

/** The state of all transactions at one moment: rows of those that are over by then were there. */
export interface Moment {
  /** All from this one on had not begun. */
  readonly next: string;
  /** Those before it that were not over. */
  readonly running: readonly string[];
}

/** So many transactions at most are asked for one by one whether they are over: about a second of the server's time. */
const MOST_ASKED = 500_000n;

/**
 * What is over now. The server's snapshot does not name savepoints, which write under numbers of their own, so each number since the
 * oldest running transaction is asked for. Where these are too many, all of them count as running: rows then seem to be newer than they are.
 */
export async function momentNow(session: Session): Promise<Moment> {
  const { oldest, next, running } = await session.one<{ oldest: string; next: string; running: string[] }>(
    `SELECT pg_catalog.pg_snapshot_xmin(s)::text AS oldest, pg_catalog.pg_snapshot_xmax(s)::text AS next,
            array(SELECT x::text FROM pg_catalog.pg_snapshot_xip(s) x) AS running
     FROM pg_catalog.pg_current_snapshot() s`,
  );
  if (BigInt(next) - BigInt(oldest) > MOST_ASKED) return { next: oldest, running: [] };
  const { rows } = await session.query<{ x: string }>(
    `SELECT x::text FROM pg_catalog.generate_series($1::int8, $2::int8 - 1::int8) x
     WHERE pg_catalog.pg_xact_status(x::text::xid8) = 'in progress'`,
    [oldest, next],
  );
  return { next, running: [...new Set([...running, ...rows.map(({ x }) => x)])] };
}

/**
 * The condition for rows of a relation that were there at a moment, and have not been changed since. It holds in the open transaction,
 * whose number is asked for here: from it the age of a row's own number, which has lost its upper half, tells the whole number. A
 * row that seems to come from the future, or from no transaction, has been there for so long that its number does not count any more.
 */
export async function wasThere(session: Session, { next, running }: Moment, of: string): Promise<string> {
  const { own } = await session.one<{ own: string }>("SELECT pg_catalog.pg_current_xact_id()::text AS own");
  const age = `pg_catalog.age(${of}.xmin)`;
  const whole = `(${own}::int8 - ${age}::int8)`;
  const list = running.map((each) => BigInt(each)).join(",");
  return `(CASE WHEN ${age} BETWEEN 0 AND 2147483646 THEN ${whole} < ${BigInt(next)}::int8 AND ${whole} <> ALL ('{${list}}'::int8[]) ELSE true END)`;
}
