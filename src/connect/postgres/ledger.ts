import type { Checkpoint, Counts, Cursor } from "../../batch/contract.ts";
import { LostError } from "../../errors.ts";
import type { Session } from "./connection.ts";
import { sqlState } from "./errors.ts";

/** Where the checkpoints of all runs stand in the target's own database. */
const table = "pawl.checkpoint";
/** The shard number under which a run that is over stays known, so that a late worker cannot begin it again. */
const tombstone = -1;
/** For how long. A worker that was stopped for longer has lost its connection, its lease and its run. */
const buriedFor = "90 days";

/** Serialises the creation of the schema; any constant that others are unlikely to use. */
const creationLock = 5_069_732_514_783;

const ddl = `
  SELECT pg_advisory_xact_lock(${creationLock});
  CREATE SCHEMA IF NOT EXISTS pawl;
  CREATE TABLE IF NOT EXISTS ${table} (
    run text NOT NULL,
    shard integer NOT NULL,
    fence bigint NOT NULL,
    cursor jsonb,
    counts jsonb,
    done boolean NOT NULL DEFAULT false,
    backend integer,
    backend_start timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, shard)
  ) WITH (fillfactor = 50);
  COMMENT ON TABLE ${table} IS 'How far each shard of each load is, committed together with its rows.'`;

/** By the catalog, because asking for a name in a schema one may not use is an error. */
const usableSql = `
  SELECT c.oid IS NOT NULL AS there,
         CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
              WHEN c.oid IS NULL THEN has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE')
              ELSE has_schema_privilege(n.oid, 'USAGE')
                   AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                   AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') END AS usable
  FROM (SELECT) one
  LEFT JOIN pg_namespace n ON n.nspname = 'pawl'
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'checkpoint'`;

/** Makes sure of the checkpoint table (or, on a dry run, that it could be had); false when the role may not. */
export async function prepareLedger(session: Session, dryRun: boolean): Promise<boolean> {
  const { rows } = await session.query<{ there: boolean; usable: boolean }>(usableSql);
  const found = rows[0] ?? { there: false, usable: false };
  if (found.there || !found.usable || dryRun) return found.usable;
  try {
    await session.run(`BEGIN; ${ddl}; COMMIT`);
    return true;
  } catch (error) {
    await session.run("ROLLBACK");
    if (sqlState(error) === "42501") return false;
    throw error;
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
  await session.query("SELECT pg_advisory_xact_lock_shared(hashtextextended('pawl ' || $1, 0))", [run]);
  await session.query("SELECT pg_advisory_xact_lock(hashtextextended('pawl ' || $1, 0))", [
    `${run}/${shard}`,
  ]);
  await session.query(
    `INSERT INTO ${table} (run, shard, fence) SELECT $1, $2, $3
     WHERE NOT EXISTS (SELECT FROM ${table} WHERE run = $1 AND shard = ${tombstone})
     ON CONFLICT (run, shard) DO NOTHING`,
    [run, shard, fence],
  );
  const { rows } = await session.query<Row>(
    `SELECT fence, cursor, counts, done, backend, backend_start::text AS started
     FROM ${table} WHERE run = $1 AND shard = $2 FOR UPDATE`,
    [run, shard],
  );
  const [row] = rows;
  if (row === undefined || Number(row.fence) > fence) throw lost(run, shard);
  await session.query(
    `UPDATE ${table} SET fence = $3, backend = pg_backend_pid(), updated_at = now(),
            backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
     WHERE run = $1 AND shard = $2`,
    [run, shard, fence],
  );
  await session.run("COMMIT");
  return row;
}

async function peek(session: Session, run: string, shard: number): Promise<Row | null> {
  const { rows } = await session.query<Row>(
    `SELECT fence, cursor, counts, done, backend, backend_start::text AS started
     FROM ${table} WHERE run = $1 AND shard = $2`,
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
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE pid = $1 AND backend_start = $2::timestamptz AND pid <> pg_backend_pid()`,
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
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
       WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('pawl ' || $1, 0)`,
      [name],
    );
  } catch (error) {
    if (sqlState(error) !== "42501") throw error;
  }
}

const commitSql = `
  UPDATE ${table} SET cursor = $4, counts = $5, done = $6, updated_at = now()
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
  await session.query("SELECT pg_advisory_xact_lock(hashtextextended('pawl ' || $1, 0))", [run]);
  await session.query(
    `DELETE FROM ${table} WHERE (run = $1 AND shard <> ${tombstone})
        OR (shard = ${tombstone} AND updated_at < now() - interval '${buriedFor}')`,
    [run],
  );
  await session.query(
    `INSERT INTO ${table} (run, shard, fence, done) VALUES ($1, ${tombstone}, 0, true) ON CONFLICT DO NOTHING`,
    [run],
  );
  await session.run("COMMIT");
}

function lost(run: string, shard: number): LostError {
  return new LostError(`Shard ${shard} of run ${run} was taken over by another worker, or the run is over.`);
}
