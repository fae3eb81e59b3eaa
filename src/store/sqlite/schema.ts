import type { DatabaseSync } from "node:sqlite";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { storeNewer } from "../sql/errors.ts";

/**
 * The schema, forward only: the version of a file is how many of these it has seen. An entry that was released is
 * never changed; a new one is added after it.
 */
export const migrations: readonly string[] = [
  `
  -- What changes often stands before what may be long: a column behind a long one is read through the pages of that one.
  CREATE TABLE task (
    -- the order of enqueueing
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    name TEXT NOT NULL,
    flow TEXT,
    -- not by IN: SQLite would make a table of the words for each row that is written, a fifth of the time that takes
    state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'leased' OR state = 'succeeded' OR state = 'dead'
      OR state = 'cancelled'),
    priority INTEGER NOT NULL,
    -- when a waiting task may be claimed, by the wall clock; null while it is held and in other states
    due INTEGER,
    fence INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    -- the end and the length of the lease in ms, by the monotonic clock of that boot
    lease_boot TEXT,
    lease_until INTEGER,
    lease_ms INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    -- when it was last claimed
    started_at INTEGER,
    settled_at INTEGER,
    expires_at INTEGER,
    unique_key TEXT,
    bucket TEXT,
    -- how long it is kept once it is settled, and until when therefore
    retention_ms INTEGER,
    prune_at INTEGER,
    group_id TEXT,
    child_index INTEGER,
    error TEXT,
    progress TEXT NOT NULL DEFAULT 'null',
    result TEXT NOT NULL DEFAULT 'null',
    payload TEXT NOT NULL,
    meta TEXT NOT NULL DEFAULT 'null'
  ) STRICT;
  -- an index ends with the seq of the row by itself
  CREATE INDEX task_backlog ON task (queue, bucket, priority, due) WHERE state = 'waiting' AND due IS NOT NULL;
  CREATE INDEX task_leased ON task (queue) WHERE state = 'leased';
  CREATE INDEX task_dead ON task (queue) WHERE state = 'dead';
  CREATE INDEX task_flow ON task (flow) WHERE flow IS NOT NULL;
  CREATE UNIQUE INDEX task_unique ON task (unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('waiting', 'leased');
  CREATE UNIQUE INDEX task_child ON task (group_id, child_index) WHERE group_id IS NOT NULL;
  CREATE INDEX task_expiry ON task (expires_at)
    WHERE expires_at IS NOT NULL AND state = 'waiting' AND fence = 0;
  CREATE INDEX task_prune ON task (prune_at) WHERE prune_at IS NOT NULL;

  -- waits for children and then releases its callback
  CREATE TABLE task_group (
    id TEXT PRIMARY KEY,
    -- null until it is known
    children INTEGER,
    -- null for all of them
    need INTEGER,
    callback TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'released', 'failed')),
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  -- attempts that are over, but for a first one that succeeded and wrote no log: the task's own row tells that one
  CREATE TABLE attempt (
    task INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    worker TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    result TEXT NOT NULL,
    error TEXT,
    log TEXT,
    PRIMARY KEY (task, fence)
  ) STRICT, WITHOUT ROWID;

  -- how many tasks of a queue are in each state; changed in the transaction that changes the tasks
  CREATE TABLE queue (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    succeeded INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  -- when a bucket was last claimed from, by both clocks, and how many milliseconds of its rate were used ahead then
  CREATE TABLE bucket (
    name TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    claimed_at INTEGER NOT NULL,
    claimed_at_wall INTEGER NOT NULL,
    ahead REAL NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    queues TEXT NOT NULL,
    slots INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    running TEXT NOT NULL,
    rates TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE schedule (
    id TEXT PRIMARY KEY,
    spec TEXT NOT NULL,
    task TEXT NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    next INTEGER,
    last_fired INTEGER,
    version INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE change (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    task TEXT NOT NULL,
    name TEXT NOT NULL,
    queue TEXT NOT NULL,
    flow TEXT,
    state TEXT NOT NULL,
    fence INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE run (
    -- the order of creation
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_name TEXT NOT NULL,
    job_module TEXT,
    job_params TEXT NOT NULL,
    key TEXT NOT NULL,
    identity TEXT NOT NULL,
    replay_of TEXT,
    state TEXT NOT NULL,
    note TEXT,
    details TEXT NOT NULL DEFAULT 'null',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    -- how many samples were taken, and that each of so many is kept
    sample_count INTEGER NOT NULL DEFAULT 0,
    sample_stride INTEGER NOT NULL DEFAULT 1
  ) STRICT;
  CREATE INDEX run_key ON run (key);
  CREATE UNIQUE INDEX run_unfinished ON run (key) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');

  CREATE TABLE sample (
    run_id TEXT NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES run (id),
    shard INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    replayed_by TEXT,
    location TEXT NOT NULL,
    reason TEXT NOT NULL,
    code TEXT,
    -- last, so that a count need not read past it
    raw BLOB NOT NULL,
    UNIQUE (run_id, shard, ordinal)
  ) STRICT;

  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counter VALUES ('wakeups', 0), ('recording_until', 0), ('schedule_version', 0);
  `,
];

/** Marks a SQLite file as Pawl's: "Pawl" in ASCII. */
const APPLICATION_ID = 0x5061776c;

function pragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get();
  return Number(row === undefined ? undefined : own(row, name));
}

/**
 * Throws unless the file is empty or a store of a version this program knows. A file of another program must not
 * even be switched to write-ahead logging.
 */
export function assertStore(
  database: DatabaseSync,
  location: string,
  known: number = migrations.length,
): void {
  // One statement, so that another process that migrates cannot come in between.
  const found = database
    .prepare(
      `SELECT application_id AS application, user_version AS version, (SELECT count(*) FROM sqlite_schema) AS tables
       FROM pragma_application_id, pragma_user_version`,
    )
    .get();
  const empty = found?.version === 0 && found.tables === 0;
  if (!empty && found?.application !== APPLICATION_ID) {
    throw new PawlError(
      "store.not-a-store",
      `${location} is not a store of Pawl: move that file away or choose another path.`,
    );
  }
  assertKnown(Number(found?.version), location, known);
}

/** Throws for a version of the tables that a newer program has made. */
export function assertKnown(version: number, location: string, known: number = migrations.length): void {
  if (version <= known) return;
  throw storeNewer(location);
}

/** Brings the file to the latest version. Processes that do so at the same moment take turns. */
export function migrate(
  database: DatabaseSync,
  location: string,
  steps: readonly string[] = migrations,
): void {
  if (pragma(database, "user_version") === steps.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been first while this one waited for the lock.
    assertStore(database, location, steps.length);
    for (const step of steps.slice(pragma(database, "user_version"))) database.exec(step);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${steps.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
