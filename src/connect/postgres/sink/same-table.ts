import { PawlError } from "../../../errors.ts";
import { findTable, type Table } from "../catalog.ts";
import { PostgresSession } from "../session.ts";
import { FINISHED, hasCheckpoints, TABLE, TABLE_NOTE } from "./checkpoint-table.ts";
import type { Snapshot } from "./load/snapshot.ts";

/** What tells a table from another one of its name, and from itself after it was emptied. */
interface TableIdentity {
  readonly oid: number;
  /** Where its rows lie, of all its partitions: TRUNCATE gives it other files, and so do VACUUM FULL and CLUSTER. */
  readonly storage: string;
  /** How many rows were ever added, by the statistics of the server. */
  readonly inserted?: number;
  /** When the run began, for one that deletes what was there then. */
  readonly began?: Snapshot;
}

/**
 * Notes which table a run writes to, or sees that it is still the one that was noted: what has been written before must not be
 * missing in a table that was created again or emptied while the run was interrupted. Errors: `postgres.other-table`.
 */
export async function assertSameTable(session: PostgresSession, run: string, table: Table): Promise<void> {
  const identity = await identityOf(session, table);
  const { noted, written: there } = await noteOnce(session, run, identity);
  // Without one the run is over. Others may delete single rows.
  if (noted === null || there === 0 || (noted.oid === identity.oid && noted.storage === identity.storage))
    return;
  const left = noted.oid === identity.oid ? await rowsIn(session, table) : 0;
  if (left === null || left >= there) return;
  const what =
    noted.oid === identity.oid
      ? `${table.label} has ${left === 0 ? "no rows" : `${left} rows`} now`
      : `${table.label} was dropped and created again`;
  throw new PawlError(
    "postgres.other-table",
    `${what}, and this run had written ${there} rows to it before: they would be missing; start again with \`restart\`.`,
  );
}

/**
 * Looks at the table of a run that continues, before any shard is taken over. Where its rows lie elsewhere now and none of them is as old
 * as the last checkpoint, it was emptied and filled again, or rewritten by ALTER TABLE or a program such as pg_repack: VACUUM FULL and
 * CLUSTER keep the age of the rows. Returns a note where that cannot be told; `changes` says whether the run adds rows itself, so
 * that the server's count of added rows tells nothing. Errors: `postgres.other-table`.
 */
export async function assertNotRefilled(
  session: PostgresSession,
  run: string,
  table: Table,
  changes: "adds" | "adds none",
): Promise<string | null> {
  if (!(await hasCheckpoints(session, run))) return null;
  const identity = await identityOf(session, table);
  const { noted, read, written } = await noteOnce(session, run, identity);
  if (noted === null || read === 0 || noted.oid !== identity.oid || noted.storage === identity.storage)
    return null;
  if (await keepsOldRows(session, run, noted.storage, identity.storage)) {
    await session.query(`UPDATE ${TABLE} SET cursor = $2 WHERE run = $1 AND shard = ${TABLE_NOTE}`, [
      run,
      JSON.stringify({ ...noted, storage: identity.storage }),
    ]);
    return null;
  }
  const rows = changes === "adds" ? null : await rowsIn(session, table);
  const [before, now] = [noted.inserted ?? 0, identity.inserted ?? 0];
  // Statistics that did not yet know, or know no more, of the rows that the run has read tell nothing.
  if (rows !== null && before >= read && now - before >= rows)
    throw new PawlError(
      "postgres.other-table",
      rows === 0
        ? `${table.label} has no rows now, and this run had changed ${written} rows of it before: start again with \`restart\`.`
        : `${table.label} was emptied and filled again: all its ${rows} rows came after this run had read ${read} rows, and would not be read again; start again with \`restart\`.`,
    );
  return (
    `${table.label} was rewritten while this run was interrupted: if that was VACUUM FULL, ALTER TABLE or pg_repack, all is well; if it was emptied (TRUNCATE) and ` +
    `filled again, what this run had done before, ${read} rows, is missing: start again with \`restart\`.`
  );
}

/** Notes which table a run changes, and when it began, before it does. */
export async function noteTable(
  session: PostgresSession,
  run: string,
  table: Table,
  began?: Snapshot,
): Promise<void> {
  await noteOnce(session, run, {
    ...(await identityOf(session, table)),
    ...(began === undefined ? {} : { began }),
  });
}

/** When a run began; null where that is not noted. */
export async function begunAt(session: PostgresSession, run: string): Promise<Snapshot | null> {
  const { rows } = await session.query<{ began: Snapshot | null }>(
    `SELECT cursor -> 'began' AS began FROM ${TABLE} WHERE run = $1 AND shard = ${TABLE_NOTE}`,
    [run],
  );
  return rows[0]?.began ?? null;
}

/** Whether each table whose rows lie elsewhere now has one that is as old as the last checkpoint of the run. */
async function keepsOldRows(
  session: PostgresSession,
  run: string,
  before: string,
  now: string,
): Promise<boolean> {
  const stays = new Set(before.split(" "));
  const moved = now.split(" ").filter((part) => !stays.has(part));
  for (const part of moved) {
    const oid = Number.parseInt(part, 10);
    const [found] = (
      await session.query<{ name: string; may: boolean }>(
        `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
                pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid) AS may
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid`,
        [oid],
      )
    ).rows;
    if (found?.may !== true) return false;
    // The age of a transaction whose number was used again is negative.
    const { rows } = await session.query<{ there: boolean }>(
      `SELECT EXISTS (SELECT FROM ONLY ${found.name} t WHERE pg_catalog.age(t.xmin) < 0 OR pg_catalog.age(t.xmin) >=
         (SELECT pg_catalog.min(pg_catalog.age(c.xmin)) FROM ${TABLE} c WHERE c.run = $1 AND c.shard >= 0 AND c.counts IS NOT NULL)) AS there`,
      [run],
    );
    if (rows[0]?.there !== true) return false;
  }
  return true;
}

/** Notes the table where none is noted yet; tells which one is, and what the run has come to. */
async function noteOnce(
  session: PostgresSession,
  run: string,
  identity: TableIdentity,
): Promise<{ readonly noted: TableIdentity | null; readonly read: number; readonly written: number }> {
  await session.query(
    `INSERT INTO ${TABLE} (run, shard, fence, cursor) SELECT $1, ${TABLE_NOTE}, 0, $2
     WHERE NOT EXISTS (SELECT FROM ${TABLE} WHERE run = $1 AND shard = ${FINISHED})
     ON CONFLICT (run, shard) DO NOTHING`,
    [run, JSON.stringify(identity)],
  );
  const sum = (name: string) =>
    `(SELECT coalesce(pg_catalog.sum((c.counts ->> '${name}')::pg_catalog.int8), 0::pg_catalog.numeric)
      FROM ${TABLE} c WHERE c.run = $1)::pg_catalog.float8 AS ${name}`;
  const { rows } = await session.query<{ noted: TableIdentity | null; read: number; written: number }>(
    `SELECT (SELECT cursor FROM ${TABLE} WHERE run = $1 AND shard = ${TABLE_NOTE}) AS noted, ${sum("read")}, ${sum("written")}`,
    [run],
  );
  return rows[0] ?? { noted: null, read: 0, written: 0 };
}

/** How many rows there are; null where that may not be asked. */
async function rowsIn(session: PostgresSession, table: Table): Promise<number | null> {
  if (!table.maySelect || table.rowSecurity) return null;
  const { n } = await session.one<{ n: number }>(`SELECT pg_catalog.count(*)::float8 AS n FROM ${table.sql}`);
  return n;
}

/** Whether a run that has not ended writes to a table of this database, by whatever name that was given. */
export async function writesToTable(url: string, run: string, name: string): Promise<boolean> {
  return await PostgresSession.use(url, "pawl reader", async (session) => {
    const table = await findTable(session, name);
    return table !== null && (await writesTo(session, run, table));
  });
}

async function writesTo(session: PostgresSession, run: string, table: Table): Promise<boolean> {
  if (!(await hasCheckpoints(session, run))) return false;
  const noted = await session.query<{ oid: number }>(
    `SELECT (cursor ->> 'oid')::pg_catalog.float8 AS oid FROM ${TABLE} WHERE run = $1 AND shard = ${TABLE_NOTE}`,
    [run],
  );
  return noted.rows[0]?.oid === table.oid;
}

async function identityOf(session: PostgresSession, { oid }: Table): Promise<TableIdentity> {
  const { storage, inserted } = await session.one<{ storage: string; inserted: number }>(
    `SELECT coalesce(pg_catalog.string_agg(pg_catalog.concat(c.oid, ':', c.relfilenode), ' ' ORDER BY c.oid), '') AS storage,
            coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(c.oid)), 0::pg_catalog.numeric)::pg_catalog.float8 AS inserted
     FROM pg_catalog.pg_class c
     WHERE c.oid = ${oid}::oid OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(${oid}::oid) p)`,
  );
  return { oid, storage, inserted };
}
