import { PawlError } from "../../errors.ts";
import type { Session } from "./connection.ts";
import { hasCheckpoints, NOTED, TABLE, TOMBSTONE } from "./ledger.ts";
import type { Table } from "./table.ts";

/** What tells a table from another one of its name, and from itself after it was emptied. */
interface Mark {
  readonly oid: number;
  /** Where its rows lie, of all its partitions: TRUNCATE gives it another place, and so do VACUUM FULL and CLUSTER. */
  readonly place: string;
}

/**
 * Notes which table a run writes to, or sees that it is still the one that was noted: what has been written before must not be
 * missing in a table that was made anew or emptied while the run was interrupted. Errors: `postgres.other-table`.
 */
export async function assertSameTable(session: Session, run: string, table: Table): Promise<void> {
  const mark = await markOf(session, table);
  await session.query(
    `INSERT INTO ${TABLE} (run, shard, fence, cursor) SELECT $1, ${NOTED}, 0, $2
     WHERE NOT EXISTS (SELECT FROM ${TABLE} WHERE run = $1 AND shard = ${TOMBSTONE})
     ON CONFLICT (run, shard) DO NOTHING`,
    [run, JSON.stringify(mark)],
  );
  const { rows } = await session.query<{ noted: Mark | null; there: number }>(
    `SELECT (SELECT cursor FROM ${TABLE} WHERE run = $1 AND shard = ${NOTED}) AS noted,
            (SELECT coalesce(pg_catalog.sum((c.counts ->> 'written')::pg_catalog.int8), 0::pg_catalog.numeric)
             FROM ${TABLE} c WHERE c.run = $1)::pg_catalog.float8 AS there`,
    [run],
  );
  const [{ noted, there } = { noted: null, there: 0 }] = rows;
  // Without one the run is over. Rows that others have taken away one by one are their affair.
  if (noted === null || there === 0 || (noted.oid === mark.oid && noted.place === mark.place)) return;
  const left = noted.oid === mark.oid ? await rowsIn(session, table) : 0;
  if (left === null || left >= there) return;
  const what =
    noted.oid === mark.oid
      ? `${table.label} has ${left === 0 ? "no rows" : `${left} rows`} now`
      : `${table.label} was dropped and made anew`;
  throw new PawlError(
    "postgres.other-table",
    `${what}, and this run had written ${there} rows to it before: they would be missing; begin anew with --restart.`,
  );
}

/** How many rows there are; null where that may not be asked. */
async function rowsIn(session: Session, table: Table): Promise<number | null> {
  if (!table.maySelect || table.rowSecurity) return null;
  const { n } = await session.one<{ n: number }>(`SELECT pg_catalog.count(*)::float8 AS n FROM ${table.sql}`);
  return n;
}

/** Whether a run has noted that it writes to this table. */
export async function writesTo(session: Session, run: string, table: Table): Promise<boolean> {
  if (!(await hasCheckpoints(session, run))) return false;
  const noted = await session.query<{ oid: number }>(
    `SELECT (cursor ->> 'oid')::pg_catalog.float8 AS oid FROM ${TABLE} WHERE run = $1 AND shard = ${NOTED}`,
    [run],
  );
  return noted.rows[0]?.oid === table.oid;
}

async function markOf(session: Session, { oid }: Table): Promise<Mark> {
  const { place } = await session.one<{ place: string }>(
    `SELECT coalesce(pg_catalog.string_agg(pg_catalog.concat(c.oid, ':', c.relfilenode), ' ' ORDER BY c.oid), '') AS place FROM pg_catalog.pg_class c
     WHERE c.oid = ${oid}::oid OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(${oid}::oid) p)`,
  );
  return { oid, place };
}
