import type { Checkpoint, Counts, Cursor } from "../../../batch/contract.ts";
import { LostError, PawlError } from "../../../errors.ts";
import { foreignObject } from "../../../postgres-ownership.ts";
import { publicUrl } from "../../../postgres-url.ts";
import { explain, sqlState } from "../errors.ts";
import { Session } from "../session.ts";

/** Where the checkpoints of all runs stand in the target's own database. */
export const TABLE = "pawl.checkpoint";
/** The shard number under which a run that is over stays known, so that a late worker cannot begin it again. */
export const TOMBSTONE = -1;
/** The shard number under which it is noted which table a run writes to. */
export const NOTED = -2;
/** For how long a run that is over stays known. A worker that was stopped for longer has lost its connection, its lease and its run. */
const buriedFor = "90 days";

/** Serialises the creation of the schema; any constant that others are unlikely to use. */
const creationLock = 5_069_732_514_783;

/** The lock of a run, or of one of its shards, by its name as the first parameter. */
const lockOf =
  "pg_catalog.hashtextextended(pg_catalog.concat('pawl ', $1::pg_catalog.text), 0::pg_catalog.int8)";

/*
 * These statements name the schema of every function, and of operators that are given other types than their own: the
 * search path may lead to a schema in which others can make functions that match better than those of the server.
 */

const ddl = `
  CREATE TABLE IF NOT EXISTS ${TABLE} (
    run pg_catalog.text NOT NULL,
    shard pg_catalog.int4 NOT NULL,
    fence pg_catalog.int8 NOT NULL,
    cursor pg_catalog.jsonb,
    counts pg_catalog.jsonb,
    done pg_catalog.bool NOT NULL DEFAULT false,
    backend pg_catalog.int4,
    backend_start pg_catalog.timestamptz,
    updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (run, shard)
  ) WITH (fillfactor = 50);
  COMMENT ON TABLE ${TABLE} IS 'How far each shard of each load is, committed together with its rows.'`;

interface Usable {
  readonly schema: boolean;
  readonly table: boolean;
  readonly mayCreateSchema: boolean;
  readonly schemaRights: readonly string[];
  readonly tableRights: readonly string[];
  readonly me: string;
  /** Who owns the schema, where the current role acts for it. */
  readonly group: string | null;
}

/** By the catalog, because asking for a name in a schema one may not use is an error. */
const usableSql = `
  SELECT n.oid IS NOT NULL AS schema, c.oid IS NOT NULL AS table,
         pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS "mayCreateSchema",
         ARRAY(SELECT r FROM pg_catalog.unnest(ARRAY['USAGE', 'CREATE']) r
               WHERE NOT pg_catalog.has_schema_privilege(n.oid, r) AND (r <> 'CREATE' OR c.oid IS NULL)) AS "schemaRights",
         ARRAY(SELECT r FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r
               WHERE NOT pg_catalog.has_table_privilege(c.oid, r)) AS "tableRights",
         pg_catalog.quote_ident(CURRENT_USER::pg_catalog.text) AS me,
         CASE WHEN n.nspowner <> (SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolname = CURRENT_USER)
               AND pg_catalog.pg_has_role(n.nspowner, 'USAGE') AND pg_catalog.pg_has_role(n.nspowner, 'MEMBER')
              THEN pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text) END AS group
  FROM (SELECT) one
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'pawl'
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'checkpoint'`;

/**
 * Makes sure of the checkpoint table (or, on a dry run, that it could be had); returns half a sentence with the right that
 * is missing where the role may not use or make one. Throws where there is one that is not ours.
 */
export async function prepareLedger(session: Session, dryRun: boolean): Promise<string | null> {
  await assertOurs(session);
  const { rows } = await session.query<Usable & Record<string, unknown>>(usableSql);
  const [found] = rows;
  if (found === undefined) throw new Error("The catalog did not answer.");
  const where = publicUrl(session.url);
  const { me } = found;
  if (!found.schema && !found.mayCreateSchema) {
    return `The user ${me} may not keep checkpoints in ${where} (GRANT CREATE ON DATABASE to ${me}, or CREATE SCHEMA pawl AUTHORIZATION ${me})`;
  }
  const grants = [
    ...(found.schema && found.schemaRights.length > 0
      ? [`GRANT ${found.schemaRights.join(", ")} ON SCHEMA pawl TO ${me}`]
      : []),
    ...(found.table && found.tableRights.length > 0
      ? [`GRANT ${found.tableRights.join(", ")} ON ${TABLE} TO ${me}`]
      : []),
  ];
  if (grants.length > 0)
    return `The user ${me} may not keep checkpoints in ${where}, in the schema pawl that is there (${grants.join("; ")})`;
  if (found.table || dryRun) return null;
  try {
    await session.run(`BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(${creationLock}::pg_catalog.int8)`);
    // Even where the schema is there, this asks for the right to make it.
    if (!found.schema) await session.run("CREATE SCHEMA IF NOT EXISTS pawl");
    await session.run(ddl);
    if (found.group !== null) await session.run(`ALTER TABLE ${TABLE} OWNER TO ${found.group}`);
    // Another role may have been first meanwhile.
    await assertOurs(session);
    await session.run("COMMIT");
    return null;
  } catch (error) {
    if (!session.isLost) await session.run("ROLLBACK");
    throw error;
  }
}

async function assertOurs(session: Session): Promise<void> {
  const found = await foreignObject(
    async (sql, values) => (await session.query(sql, values)).rows,
    { schema: "pawl", tables: ["checkpoint"] },
    publicUrl(session.url),
  );
  if (found !== null) throw new PawlError("postgres.not-ours", found);
}

/** Whether the run has begun to write; false where there are no checkpoints to be read. */
export async function hasCheckpoints(session: Session, run: string): Promise<boolean> {
  const { rows } = await session.query<{ there: boolean }>(
    `SELECT coalesce((SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'pawl' AND c.relname = 'checkpoint'), false) AS there`,
  );
  if (rows[0]?.there !== true) return false;
  await assertOurs(session);
  return (await session.query(`SELECT FROM ${TABLE} WHERE run = $1 LIMIT 1`, [run])).rowCount === 1;
}

/** The shards of a run whose last checkpoint is here; null where the run is known to be over. */
export async function finishedShards(url: string, run: string): Promise<ReadonlySet<number> | null> {
  const session = await Session.open(url, "pawl reader");
  try {
    const { rows } = await session.query<{ shard: number }>(
      `SELECT shard FROM ${TABLE} WHERE run = $1 AND done`,
      [run],
    );
    const shards = new Set(rows.map(({ shard }) => shard));
    return shards.has(TOMBSTONE) ? null : shards;
  } catch (error) {
    throw explain(error, url);
  } finally {
    await session.close();
  }
}

/** What a shard's row held when we took it over. */
export interface Holding {
  readonly checkpoint: Checkpoint | null;
}

interface Row {
  readonly fence: string;
  readonly cursor: Cursor | null;
  readonly counts: Counts | null;
  readonly done: boolean;
  readonly backend: number | null;
  readonly started: string | null;
}

/**
 * Takes a shard over: from here on only commits under `fence` count. A previous holder whose session still lives,
 * perhaps stopped with its transaction open, is disconnected, so that it blocks nobody. Throws LostError when a
 * higher fence is there or the run is over.
 */
export async function takeOver(
  session: Session,
  run: string,
  shard: number,
  fence: number,
): Promise<Holding> {
  for (let tries = 0; ; tries++) {
    try {
      const row = await claim(session, run, shard, fence);
      await disconnect(session, row.backend, row.started);
      // Without counts nothing was committed yet.
      return {
        checkpoint: row.counts === null ? null : { cursor: row.cursor, counts: row.counts, done: row.done },
      };
    } catch (error) {
      if (!session.isLost) await session.run("ROLLBACK");
      // Somebody holds the row in an open transaction: the holder before us.
      if (sqlState(error) !== "55P03" || tries >= 10) throw error;
      const holder = await peek(session, run, shard);
      if (holder !== null && Number(holder.fence) > fence) throw lost(run, shard);
      if (holder !== null) await disconnect(session, holder.backend, holder.started);
      // A claim takes milliseconds: one that was stopped in the middle of it has not told who it is.
      if (tries > 0) await disconnectHolders(session, `${run}/${shard}`);
    }
  }
}

async function claim(session: Session, run: string, shard: number, fence: number): Promise<Row> {
  await session.run("BEGIN; SET LOCAL lock_timeout = '1s'; SET LOCAL synchronous_commit = on");
  await session.query(`SELECT pg_catalog.pg_advisory_xact_lock_shared(${lockOf})`, [run]);
  await session.query(`SELECT pg_catalog.pg_advisory_xact_lock(${lockOf})`, [`${run}/${shard}`]);
  await session.query(
    `INSERT INTO ${TABLE} (run, shard, fence) SELECT $1, $2, $3
     WHERE NOT EXISTS (SELECT FROM ${TABLE} WHERE run = $1 AND shard = ${TOMBSTONE})
     ON CONFLICT (run, shard) DO NOTHING`,
    [run, shard, fence],
  );
  const { rows } = await session.query<Row>(
    `SELECT fence, cursor, counts, done, backend, backend_start::pg_catalog.text AS started
     FROM ${TABLE} WHERE run = $1 AND shard = $2 FOR UPDATE`,
    [run, shard],
  );
  const [row] = rows;
  if (row === undefined || Number(row.fence) > fence) throw lost(run, shard);
  await session.query(
    `UPDATE ${TABLE} SET fence = $3, backend = pg_catalog.pg_backend_pid(), updated_at = pg_catalog.now(),
            backend_start = (SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())
     WHERE run = $1 AND shard = $2`,
    [run, shard, fence],
  );
  await session.run("COMMIT");
  return row;
}

async function peek(session: Session, run: string, shard: number): Promise<Row | null> {
  const { rows } = await session.query<Row>(
    `SELECT fence, cursor, counts, done, backend, backend_start::pg_catalog.text AS started
     FROM ${TABLE} WHERE run = $1 AND shard = $2`,
    [run, shard],
  );
  return rows[0] ?? null;
}

/** Ends the session of a previous holder and waits until it is gone. Not being allowed to is no reason to fail. */
async function disconnect(session: Session, backend: number | null, started: string | null): Promise<void> {
  if (backend === null || started === null) return;
  try {
    // The second argument waits for the end; its rollback may take a moment.
    await session.query(
      `SELECT pg_catalog.pg_terminate_backend(pid, 5000::pg_catalog.int8) FROM pg_catalog.pg_stat_activity
       WHERE pid = $1 AND backend_start = $2::pg_catalog.timestamptz AND pid <> pg_catalog.pg_backend_pid()`,
      [backend, started],
    );
  } catch (error) {
    if (sqlState(error) !== "42501") throw error;
  }
}

/** Ends the sessions that hold the lock of this name, of a run or of one of its shards, as `claim` and `bury` take it. */
async function disconnectHolders(session: Session, name: string): Promise<void> {
  try {
    await session.query(
      `SELECT pg_catalog.pg_terminate_backend(pid, 5000::pg_catalog.int8) FROM pg_catalog.pg_locks
       WHERE locktype = 'advisory' AND granted AND objsubid = 1::pg_catalog.int2 AND pid <> pg_catalog.pg_backend_pid()
         AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
         AND ((classid::pg_catalog.int8 << 32) | objid::pg_catalog.int8) = ${lockOf}`,
      [name],
    );
  } catch (error) {
    if (sqlState(error) !== "42501") throw error;
  }
}

const commitSql = `
  UPDATE ${TABLE} SET cursor = $4, counts = $5, done = $6, updated_at = pg_catalog.now()
  WHERE run = $1 AND shard = $2 AND fence = $3`;

/** Writes the checkpoint into the open transaction; throws LostError when the fence has moved on. */
export async function record(
  session: Session,
  run: string,
  shard: number,
  fence: number,
  checkpoint: Checkpoint,
): Promise<void> {
  const { rowCount } = await session.prepared("pawl_checkpoint", commitSql, [
    run,
    shard,
    fence,
    JSON.stringify(checkpoint.cursor),
    JSON.stringify(checkpoint.counts),
    checkpoint.done,
  ]);
  if (rowCount !== 1) throw lost(run, shard);
}

/** Removes the checkpoints of a run that is over, and keeps one row by which late workers learn that it is. */
export async function bury(session: Session, run: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await tryBury(session, run);
    } catch (error) {
      if (!session.isLost) await session.run("ROLLBACK");
      if (sqlState(error) !== "55P03" || tries >= 10) throw error;
      await disconnectHolders(session, run);
    }
  }
}

async function tryBury(session: Session, run: string): Promise<void> {
  await session.run("BEGIN; SET LOCAL lock_timeout = '2s'");
  await session.query(`SELECT pg_catalog.pg_advisory_xact_lock(${lockOf})`, [run]);
  await session.query(
    `DELETE FROM ${TABLE} WHERE (run = $1 AND shard <> ${TOMBSTONE})
        OR (shard = ${TOMBSTONE} AND updated_at < pg_catalog.now() - '${buriedFor}'::pg_catalog.interval)`,
    [run],
  );
  await session.query(
    `INSERT INTO ${TABLE} (run, shard, fence, done) VALUES ($1, ${TOMBSTONE}, 0, true) ON CONFLICT DO NOTHING`,
    [run],
  );
  await session.run("COMMIT");
}

function lost(run: string, shard: number): LostError {
  return new LostError(`Shard ${shard} of run ${run} was taken over by another worker, or the run is over.`);
}
