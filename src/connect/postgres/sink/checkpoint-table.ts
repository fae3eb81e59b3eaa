import type { Checkpoint, Counts, Cursor } from "../../../batch/contract.ts";
import { LostError, PawlError } from "../../../errors.ts";
import { sqlState } from "../../../postgres-errors.ts";
import { foreignObject } from "../../../postgres-ownership.ts";
import { publicUrl } from "../../../postgres-url.ts";
import { retry } from "../../../retry.ts";
import { PostgresSession } from "../session.ts";

/** Where the checkpoints of all runs stand in the target's own database. */
export const TABLE = "pawl.checkpoint";
/** The shard number of the finished mark, by which a run that is over stays known, so that a late worker cannot begin it again. */
export const FINISHED = -1;
/** The shard number of the row that notes which table a run writes to. */
export const TABLE_NOTE = -2;
/** For how long finished marks are kept. A worker that was stopped for longer has lost its connection, its lease and its run. */
const KEPT_FOR = "90 days";

/** Serialises the creation of the schema; any constant that others are unlikely to use. */
const CREATION_LOCK = 5_069_732_514_783;

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
export async function prepareCheckpointTable(
  session: PostgresSession,
  dryRun: boolean,
): Promise<string | null> {
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
  await session.transaction(async () => {
    await session.run(`SELECT pg_catalog.pg_advisory_xact_lock(${CREATION_LOCK}::pg_catalog.int8)`);
    // Even where the schema is there, this asks for the right to make it.
    if (!found.schema) await session.run("CREATE SCHEMA IF NOT EXISTS pawl");
    await session.run(ddl);
    if (found.group !== null) await session.run(`ALTER TABLE ${TABLE} OWNER TO ${found.group}`);
    // Another role may have been first meanwhile.
    await assertOurs(session);
  });
  return null;
}

async function assertOurs(session: PostgresSession): Promise<void> {
  const found = await foreignObject(
    async (sql, values) => (await session.query(sql, values)).rows,
    { schema: "pawl", tables: ["checkpoint"] },
    publicUrl(session.url),
  );
  if (found !== null) throw new PawlError("postgres.not-ours", found);
}

/** Whether the run has begun to write; false where there are no checkpoints to be read. */
export async function hasCheckpoints(session: PostgresSession, run: string): Promise<boolean> {
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
  return await PostgresSession.use(url, "pawl reader", async (session) => {
    const { rows } = await session.query<{ shard: number }>(
      `SELECT shard FROM ${TABLE} WHERE run = $1 AND done`,
      [run],
    );
    const shards = new Set(rows.map(({ shard }) => shard));
    return shards.has(FINISHED) ? null : shards;
  });
}

/** A shard of a run that a worker holds under a fence. */
export interface ShardClaim {
  readonly run: string;
  readonly shard: number;
  /** Only commits under the highest fence count. */
  readonly fence: number;
}

/** The row of a shard. */
interface ShardRow {
  readonly fence: string;
  readonly cursor: Cursor | null;
  readonly counts: Counts | null;
  readonly done: boolean;
  /** The session that holds the shard, and when it began, since numbers of processes come again. */
  readonly backend: number | null;
  readonly started: string | null;
}

/** So often a lock is asked for that is held for longer than `lock_timeout`, with its holder disconnected in between. */
const ATTEMPTS = 11;

/**
 * Claims the row of a shard, and returns the checkpoint in it: from here on only commits under the claim's fence count. A previous
 * holder whose session still lives, perhaps stopped with its transaction open, is disconnected, so that it blocks no one. Throws
 * LostError when a higher fence is there or the run is over.
 */
export async function claimShard(session: PostgresSession, claim: ShardClaim): Promise<Checkpoint | null> {
  let failures = 0;
  const row = await retry(
    async () => {
      if (failures > 0) await disconnectHolder(session, claim, failures > 1);
      failures++;
      return await claimRow(session, claim);
    },
    { isTransient: isLockTimeout, attempts: ATTEMPTS, baseMs: 10, capMs: 100 },
  );
  await disconnect(session, row);
  // Without counts nothing was committed yet.
  return row.counts === null ? null : { cursor: row.cursor, counts: row.counts, done: row.done };
}

/** SQLSTATE "lock_not_available". */
function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === "55P03";
}

const selectRow = `
  SELECT fence, cursor, counts, done, backend, backend_start::pg_catalog.text AS started
  FROM ${TABLE} WHERE run = $1 AND shard = $2`;

async function claimRow(session: PostgresSession, claim: ShardClaim): Promise<ShardRow> {
  const { run, shard, fence } = claim;
  return await session.transaction(async () => {
    await session.query(`SELECT pg_catalog.pg_advisory_xact_lock_shared(${lockOf})`, [run]);
    await session.query(`SELECT pg_catalog.pg_advisory_xact_lock(${lockOf})`, [`${run}/${shard}`]);
    await session.query(
      `INSERT INTO ${TABLE} (run, shard, fence) SELECT $1, $2, $3
       WHERE NOT EXISTS (SELECT FROM ${TABLE} WHERE run = $1 AND shard = ${FINISHED})
       ON CONFLICT (run, shard) DO NOTHING`,
      [run, shard, fence],
    );
    const { rows } = await session.query<Row>(`${selectRow} FOR UPDATE`, [run, shard]);
    const [row] = rows;
    if (row === undefined || Number(row.fence) > fence) throw lostError(claim);
    await session.query(
      `UPDATE ${TABLE} SET fence = $3, backend = pg_catalog.pg_backend_pid(), updated_at = pg_catalog.now(),
              backend_start = (SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())
       WHERE run = $1 AND shard = $2`,
      [run, shard, fence],
    );
    return row;
  }, "BEGIN; SET LOCAL lock_timeout = '1s'; SET LOCAL synchronous_commit = on");
}

type Row = ShardRow & Record<string, unknown>;

/**
 * Disconnects the session that holds the row of a shard in an open transaction: the holder before us, by what the row tells, or,
 * `byLock`, one that was stopped in the middle of its claim, which has not told who it is.
 */
async function disconnectHolder(session: PostgresSession, claim: ShardClaim, byLock: boolean): Promise<void> {
  const { run, shard, fence } = claim;
  const [holder] = (await session.query<Row>(selectRow, [run, shard])).rows;
  if (holder !== undefined && Number(holder.fence) > fence) throw lostError(claim);
  if (holder !== undefined) await disconnect(session, holder);
  if (byLock) await disconnectByLock(session, `${run}/${shard}`);
}

/** Ends the session of a previous holder and waits until it is gone. */
async function disconnect(session: PostgresSession, { backend, started }: ShardRow): Promise<void> {
  if (backend === null || started === null) return;
  await terminate(
    session,
    `SELECT pg_catalog.pg_terminate_backend(pid, 5000::pg_catalog.int8) FROM pg_catalog.pg_stat_activity
     WHERE pid = $1 AND backend_start = $2::pg_catalog.timestamptz AND pid <> pg_catalog.pg_backend_pid()`,
    [backend, started],
  );
}

/** Ends the sessions that hold the lock of this name, of a run or of one of its shards, as `claimRow` and `finishRun` take it. */
async function disconnectByLock(session: PostgresSession, name: string): Promise<void> {
  await terminate(
    session,
    `SELECT pg_catalog.pg_terminate_backend(pid, 5000::pg_catalog.int8) FROM pg_catalog.pg_locks
     WHERE locktype = 'advisory' AND granted AND objsubid = 1::pg_catalog.int2 AND pid <> pg_catalog.pg_backend_pid()
       AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
       AND ((classid::pg_catalog.int8 << 32) | objid::pg_catalog.int8) = ${lockOf}`,
    [name],
  );
}

/** Runs a statement that ends sessions, and waits until they are gone; a missing right to do so does not make the run fail. */
async function terminate(session: PostgresSession, sql: string, values: readonly unknown[]): Promise<void> {
  try {
    await session.query(sql, values);
  } catch (error) {
    if (sqlState(error) !== "42501") throw error;
  }
}

const commitSql = `
  UPDATE ${TABLE} SET cursor = $4, counts = $5, done = $6, updated_at = pg_catalog.now()
  WHERE run = $1 AND shard = $2 AND fence = $3`;

/** Writes the checkpoint into the open transaction; throws LostError when the fence has moved on. */
export async function writeCheckpoint(
  session: PostgresSession,
  claim: ShardClaim,
  { cursor, counts, done }: Checkpoint,
): Promise<void> {
  const { run, shard, fence } = claim;
  const values = [run, shard, fence, JSON.stringify(cursor), JSON.stringify(counts), done];
  const { rowCount } = await session.prepared("pawl_checkpoint", commitSql, values);
  if (rowCount !== 1) throw lostError(claim);
}

/** Removes the checkpoints of a run that is over, and leaves the finished mark, by which late workers learn that it is. */
export async function finishRun(session: PostgresSession, run: string): Promise<void> {
  let failures = 0;
  const finish = async () => {
    await session.query(`SELECT pg_catalog.pg_advisory_xact_lock(${lockOf})`, [run]);
    await session.query(
      `DELETE FROM ${TABLE} WHERE (run = $1 AND shard <> ${FINISHED})
          OR (shard = ${FINISHED} AND updated_at < pg_catalog.now() - '${KEPT_FOR}'::pg_catalog.interval)`,
      [run],
    );
    await session.query(
      `INSERT INTO ${TABLE} (run, shard, fence, done) VALUES ($1, ${FINISHED}, 0, true) ON CONFLICT DO NOTHING`,
      [run],
    );
  };
  await retry(
    async () => {
      if (failures++ > 0) await disconnectByLock(session, run);
      await session.transaction(finish, "BEGIN; SET LOCAL lock_timeout = '2s'");
    },
    { isTransient: isLockTimeout, attempts: ATTEMPTS, baseMs: 10, capMs: 100 },
  );
}

function lostError({ run, shard }: ShardClaim): LostError {
  return new LostError(`Shard ${shard} of run ${run} was taken over by another worker, or the run is over.`);
}
