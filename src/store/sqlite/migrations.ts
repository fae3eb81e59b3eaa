/**
 * The schema, forward only: the version of a file is how many of these it has seen. An entry that was released is
 * never changed; a new one is added after it.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE task (
    -- the order of enqueueing
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    name TEXT NOT NULL,
    group_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'leased', 'succeeded', 'dead', 'cancelled')),
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
    settled_at INTEGER,
    error TEXT,
    progress TEXT NOT NULL DEFAULT 'null',
    result TEXT NOT NULL DEFAULT 'null',
    payload TEXT NOT NULL
  ) STRICT;
  CREATE INDEX task_line ON task (queue, priority, due, seq) WHERE state = 'waiting' AND due IS NOT NULL;
  CREATE INDEX task_leased ON task (queue) WHERE state = 'leased';
  CREATE INDEX task_group ON task (group_id) WHERE group_id IS NOT NULL;

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
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    code TEXT,
    -- last, so that a count need not read past it
    raw BLOB NOT NULL,
    UNIQUE (run_id, shard, ordinal)
  ) STRICT;

  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counter VALUES ('wakeups', 0);
  `,
];
