import type { PostgresSession } from "../../session.ts";

/** Which transactions were over at one moment, as PostgreSQL's `pg_current_snapshot()`: what these have written was there then. */
export interface Snapshot {
  /** The number of the first transaction that had not begun. */
  readonly xmax: string;
  /** Transactions before it that had begun and were not over. */
  readonly running: readonly string[];
}

/** So many transactions at most are asked for one by one whether they are over: about a second of the server's time. */
const MOST_ASKED = 500_000n;

/**
 * The snapshot of now. The server's snapshot does not name savepoints, which write under numbers of their own, so each number since the
 * oldest running transaction is asked for. Where these are too many, all of them count as running: rows then seem to be newer than they are.
 */
export async function currentSnapshot(session: PostgresSession): Promise<Snapshot> {
  const { oldest, xmax, running } = await session.one<{ oldest: string; xmax: string; running: string[] }>(
    `SELECT pg_catalog.pg_snapshot_xmin(s)::text AS oldest, pg_catalog.pg_snapshot_xmax(s)::text AS xmax,
            array(SELECT x::text FROM pg_catalog.pg_snapshot_xip(s) x) AS running
     FROM pg_catalog.pg_current_snapshot() s`,
  );
  if (BigInt(xmax) - BigInt(oldest) > MOST_ASKED) return { xmax: oldest, running: [] };
  const { rows } = await session.query<{ x: string }>(
    `SELECT x::text FROM pg_catalog.generate_series($1::int8, $2::int8 - 1::int8) x
     WHERE pg_catalog.pg_xact_status(x::text::xid8) = 'in progress'`,
    [oldest, xmax],
  );
  return { xmax, running: [...new Set([...running, ...rows.map(({ x }) => x)])] };
}

/**
 * The condition for rows of a relation that were written before a snapshot and have not been changed since. It holds in the open transaction,
 * whose number is asked for here: from it the age of a row's own number, which has lost its upper half, tells the whole number. A
 * row that seems to come from the future, or from no transaction, has been there for so long that its number does not count any more.
 */
export async function writtenBefore(
  session: PostgresSession,
  { xmax, running }: Snapshot,
  relation: string,
): Promise<string> {
  const { own } = await session.one<{ own: string }>("SELECT pg_catalog.pg_current_xact_id()::text AS own");
  const age = `pg_catalog.age(${relation}.xmin)`;
  const whole = `(${own}::int8 - ${age}::int8)`;
  const list = running.map((each) => BigInt(each)).join(",");
  return `(CASE WHEN ${age} BETWEEN 0 AND 2147483646 THEN ${whole} < ${BigInt(xmax)}::int8 AND ${whole} <> ALL ('{${list}}'::int8[]) ELSE true END)`;
}
