import { PawlError } from "../../errors.ts";
import { foreignObject } from "../../postgres-ownership.ts";
import { storeNewer } from "../sql/errors.ts";
import { storeMissing } from "../state-location.ts";
import type { Connection } from "./connection.ts";

export interface Migration {
  /**
   * The oldest version of the schema whose programs can still work with this one. While a fleet is updated, workers of
   * the release before continue beside the new ones, so a migration may add tables, columns that are null or have a
   * default, and indexes; it may not rename, drop, tighten or give another meaning to anything that the release before
   * reads or writes. What is no longer used is dropped one release later, and only then this number is raised.
   */
  readonly minCompatibleVersion: number;
  readonly sql: string;
}

/**
 * The schema, forward only: its version is how many of these it has seen. An entry that was released is never changed;
 * a new one is added after it.
 *
 * Texts are compared by their bytes: it is the fastest, and the same on every server.
 */
export const migrations: readonly Migration[] = [
  {
    minCompatibleVersion: 1,
    sql: `
  -- The clock of the store. Every instant in these tables comes from here, never from a worker.
  CREATE FUNCTION pawl.now_ms() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint';

  -- Numbers of tasks come in blocks, one for each statement that stores some.
  CREATE SEQUENCE pawl.task_block;

  CREATE TABLE pawl.task (
    -- the order of enqueueing
    seq bigint NOT NULL,
    -- when a waiting task may be claimed; null while it is held and in other states
    due bigint,
    lease_until bigint,
    created_at bigint NOT NULL,
    -- when it was last claimed
    started_at bigint,
    settled_at bigint,
    expires_at bigint,
    -- how long it is kept once it is settled, and until when therefore
    retention_ms bigint,
    prune_at bigint,
    priority integer NOT NULL,
    fence integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    crashes integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    -- the row of pawl.lease in which it stands while it is leased
    lease bigint,
    id text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    flow text COLLATE "C",
    state text COLLATE "C" NOT NULL,
    worker text COLLATE "C",
    unique_key text COLLATE "C",
    bucket text COLLATE "C",
    group_id text COLLATE "C",
    child_index bigint,
    error text,
    -- JSON as the program wrote it; null means null
    progress text,
    result text,
    payload text,
    meta text,
    -- what an index needs of the state, and nothing for most tasks in any state
    dead boolean GENERATED ALWAYS AS (CASE WHEN state = 'dead' THEN true END) STORED,
    open_key text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN state IN ('waiting', 'leased') THEN unique_key END) STORED,
    expiring bigint GENERATED ALWAYS AS (CASE WHEN state = 'waiting' AND fence = 0 THEN expires_at END) STORED,
    CONSTRAINT task_id PRIMARY KEY (id)
  -- A task is written when it is stored, claimed and settled. Where an update changes nothing that stands in an index,
  -- and finds room on the same page, PostgreSQL touches no index: that is half the work. So nothing here is indexed that
  -- changes while a common task is worked on; what must be found by its state stands in the tables below. And a page is
  -- filled so far that each task has room there three times: where transactions overlap all the time, the first version
  -- is still there when the third is written.
  ) WITH (fillfactor = 33, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.05);
  CREATE UNIQUE INDEX task_seq ON pawl.task (seq);
  CREATE INDEX task_dead ON pawl.task (queue, seq) WHERE dead;
  CREATE INDEX task_flow ON pawl.task (flow) WHERE flow IS NOT NULL;
  CREATE UNIQUE INDEX task_unique ON pawl.task (open_key) WHERE open_key IS NOT NULL;
  CREATE UNIQUE INDEX task_child ON pawl.task (group_id, child_index) WHERE group_id IS NOT NULL;
  CREATE INDEX task_expiry ON pawl.task (expiring) WHERE expiring IS NOT NULL;

  -- The tasks that wait and are not held: those with a due time, at this fence. Who stores or claims tasks writes it
  -- along; whatever else changes a due time is followed by a trigger. Only who holds the lock of a task may remove it.
  CREATE TABLE pawl.backlog (
    due bigint NOT NULL,
    seq bigint NOT NULL,
    priority integer NOT NULL,
    fence integer NOT NULL,
    queue text COLLATE "C" NOT NULL,
    bucket text COLLATE "C"
  -- The fifth of a long backlog is too many to wait for: claims would walk past what was claimed.
  ) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.05);
  CREATE INDEX backlog_plain ON pawl.backlog (queue, priority DESC, due, seq) WHERE bucket IS NULL;
  CREATE INDEX backlog_bucket ON pawl.backlog (queue, bucket, priority DESC, due, seq) WHERE bucket IS NOT NULL;

  CREATE FUNCTION pawl.follow_due() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF OLD.due IS NOT NULL AND OLD.bucket IS NULL THEN
      DELETE FROM pawl.backlog WHERE bucket IS NULL AND queue = OLD.queue AND priority = OLD.priority AND due = OLD.due
        AND seq = OLD.seq;
    ELSIF OLD.due IS NOT NULL THEN
      DELETE FROM pawl.backlog WHERE bucket IS NOT NULL AND queue = OLD.queue AND bucket = OLD.bucket AND priority = OLD.priority
        AND due = OLD.due AND seq = OLD.seq;
    END IF;
    IF NEW.due IS NOT NULL THEN
      INSERT INTO pawl.backlog (due, seq, priority, fence, queue, bucket)
      VALUES (NEW.due, NEW.seq, NEW.priority, NEW.fence, NEW.queue, NEW.bucket);
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER task_due AFTER UPDATE OF due ON pawl.task FOR EACH ROW
    WHEN (OLD.due IS DISTINCT FROM NEW.due AND NEW.state <> 'leased') EXECUTE FUNCTION pawl.follow_due();

  -- The tasks that are leased, those of one claim together: how many still are, and these among others.
  CREATE TABLE pawl.lease (
    number bigint PRIMARY KEY,
    open bigint NOT NULL,
    tasks bigint[] NOT NULL
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
  -- written and read once, mostly: not worth the time to compress them
  ALTER TABLE pawl.lease ALTER COLUMN tasks SET STORAGE EXTERNAL;
  CREATE SEQUENCE pawl.lease_number;

  -- The tasks whose retention will be over, those that were settled together in one row. One that was released since
  -- has another time, or none.
  CREATE TABLE pawl.retained (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prune_at bigint NOT NULL,
    tasks bigint[] NOT NULL
  );
  ALTER TABLE pawl.retained ALTER COLUMN tasks SET STORAGE EXTERNAL;
  CREATE INDEX retained_prune ON pawl.retained (prune_at, number);

  -- waits for children and then releases its callback
  CREATE TABLE pawl.task_group (
    id text COLLATE "C" PRIMARY KEY,
    -- null until it is known
    children bigint,
    -- null for all of them
    need bigint,
    callback text COLLATE "C" NOT NULL UNIQUE,
    state text COLLATE "C" NOT NULL DEFAULT 'open',
    succeeded bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 50);

  -- attempts that are over, but for a first one that succeeded and wrote no log: the task's own row tells that one
  CREATE TABLE pawl.attempt (
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    fence integer NOT NULL,
    task text COLLATE "C" NOT NULL,
    worker text COLLATE "C" NOT NULL,
    result text COLLATE "C" NOT NULL,
    error text,
    log text,
    PRIMARY KEY (task, fence)
  );

  CREATE TABLE pawl.queue (
    name text COLLATE "C" PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false
  );

  -- How many tasks of a queue came to a state and left it. Every transaction adds a row of its own, because a counter
  -- would make them wait for each other; the rows are summed when they are read and folded from time to time.
  CREATE TABLE pawl.queue_count (
    waiting bigint NOT NULL,
    leased bigint NOT NULL,
    succeeded bigint NOT NULL,
    dead bigint NOT NULL,
    cancelled bigint NOT NULL,
    queue text COLLATE "C" NOT NULL
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

  -- how many ms of its rate a bucket had used ahead when the last claim was made
  CREATE TABLE pawl.bucket (
    name text COLLATE "C" PRIMARY KEY,
    claimed_at bigint NOT NULL,
    ahead double precision NOT NULL
  ) WITH (fillfactor = 50);

  CREATE TABLE pawl.worker (
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    memory bigint NOT NULL,
    pid integer NOT NULL,
    slots integer NOT NULL,
    id text COLLATE "C" PRIMARY KEY,
    host text NOT NULL,
    state text NOT NULL,
    queues text NOT NULL,
    running text NOT NULL,
    rates text NOT NULL
  ) WITH (fillfactor = 50);

  CREATE TABLE pawl.schedule (
    next bigint,
    last_fired bigint,
    version bigint NOT NULL DEFAULT 1,
    paused boolean NOT NULL DEFAULT false,
    id text COLLATE "C" PRIMARY KEY,
    spec text NOT NULL,
    task text NOT NULL
  );

  -- Changes get their number when they are first read: transactions do not end in the order in which they begin, and a
  -- reader that continues from a number must not miss a lower one that comes later.
  CREATE TABLE pawl.change (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number bigint UNIQUE,
    at bigint NOT NULL,
    fence integer NOT NULL,
    task text NOT NULL,
    name text NOT NULL,
    queue text NOT NULL,
    flow text,
    state text NOT NULL
  );
  CREATE INDEX change_new ON pawl.change (entry) WHERE number IS NULL;

  -- what each transaction leaves behind for some minutes, so that one can tell later whether it was committed
  CREATE TABLE pawl.commit_marker (token uuid NOT NULL DEFAULT gen_random_uuid(), at bigint NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 5000);

  CREATE TABLE pawl.counter (name text PRIMARY KEY, value bigint NOT NULL);
  INSERT INTO pawl.counter VALUES ('recording_until', 0), ('change_number', 0), ('schedule_version', 0);
  -- counts the occasions at which a store should look that cannot be notified
  CREATE SEQUENCE pawl.wakeups;
  CREATE SEQUENCE pawl.settlements;

  CREATE TABLE pawl.run (
    -- the order of creation
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    finished_at bigint,
    -- how many samples were taken, and that each of so many is kept
    sample_count bigint NOT NULL DEFAULT 0,
    sample_stride bigint NOT NULL DEFAULT 1,
    id text COLLATE "C" PRIMARY KEY,
    job_name text NOT NULL,
    job_module text,
    job_params text NOT NULL,
    key text COLLATE "C" NOT NULL,
    identity text NOT NULL,
    replay_of text,
    state text NOT NULL,
    note text,
    details text NOT NULL
  );
  CREATE INDEX run_key ON pawl.run (key);
  CREATE UNIQUE INDEX run_unfinished ON pawl.run (key) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');

  CREATE TABLE pawl.sample (
    run_id text COLLATE "C" NOT NULL REFERENCES pawl.run (id),
    number bigint NOT NULL,
    at bigint NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (run_id, number)
  );

  CREATE TABLE pawl.quarantine (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard bigint NOT NULL,
    ordinal bigint NOT NULL,
    run_id text COLLATE "C" NOT NULL REFERENCES pawl.run (id),
    replayed_by text,
    location text NOT NULL,
    reason text NOT NULL,
    code text,
    raw bytea NOT NULL,
    UNIQUE (run_id, shard, ordinal)
  );
  `,
  },
];

/** Throws for tables that were made by a program so much newer that this one would harm them. */
export function assertKnown(location: string, minCompatibleVersion: number, known = migrations.length): void {
  if (minCompatibleVersion <= known) return;
  throw storeNewer(location);
}

/** PostgreSQL 14 is the oldest that is maintained. */
const OLDEST_SERVER = 140_000;

/** What the migrations make, and so what no other role may own. */
const tables = [
  ...[
    "version",
    "task",
    "backlog",
    "lease",
    "retained",
    "task_group",
    "attempt",
    "queue",
    "queue_count",
    "bucket",
    "worker",
  ],
  ...["schedule", "change", "commit_marker", "counter", "run", "sample", "quarantine"],
  ...["task_block", "lease_number", "wakeups", "settlements"],
];
const functions = ["now_ms", "follow_due"];
const triggers = ["task.task_due"];

interface Found {
  readonly version: number;
  readonly min_compatible_version: number;
}

/** What must be known of a database whose tables are made. */
interface MigratedDatabase {
  readonly location: string;
  readonly schema: string;
  read<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
}

/**
 * Creates the tables or brings them to the latest version. Processes that do so at the same moment take turns. Throws
 * when the tables were made by a program so much newer that this one would harm them.
 */
export async function migrate(
  database: MigratedDatabase,
  {
    steps = migrations,
    create = true,
  }: { readonly steps?: readonly Migration[]; readonly create?: boolean } = {},
): Promise<void> {
  const found = await database.read(async (connection) => {
    await assertEncoding(database, connection);
    await assertOurs(database, connection);
    return await readVersion(connection, database.schema);
  });
  if (found !== undefined) {
    assertKnown(database.location, found.min_compatible_version, steps.length);
    if (found.version >= steps.length) return;
  } else if (!create) throw storeMissing(database.location);
  await database.read(async (connection) => {
    await assertServer(database, connection);
    await connection.script("BEGIN");
    // By the name of the schema: other stores of the same server need not wait.
    await connection.get("SELECT pg_advisory_xact_lock(hashtextextended($1, 7079))", [
      `pawl ${database.schema}`,
    ]);
    // Another process, or another role, may have been first meanwhile.
    await assertOurs(database, connection);
    const now = await readVersion(connection, database.schema);
    if (now !== undefined) assertKnown(database.location, now.min_compatible_version, steps.length);
    for (const { sql } of steps.slice(now?.version ?? 0)) {
      if (now === undefined && sql === steps[0]?.sql) await createSchema(connection, database.schema);
      await connection.script(sql);
    }
    if ((now?.version ?? 0) < steps.length) {
      await connection.run("UPDATE pawl.version SET version = $1, min_compatible_version = $2", [
        steps.length,
        steps.at(-1)?.minCompatibleVersion ?? 1,
      ]);
    }
    await assertOurs(database, connection);
    await connection.script("COMMIT");
  });
}

/**
 * The owner of a table of the store, or of a function or a trigger on one, has code run with the rights of each
 * role that works here.
 */
async function assertOurs(database: MigratedDatabase, connection: Connection): Promise<void> {
  const found = await foreignObject(
    (sql, values) => connection.all(sql, values),
    { schema: database.schema, tables, functions, triggers },
    database.location,
  );
  if (found !== null) throw new PawlError("store.not-ours", found);
}

/** Payloads hold any character. SQL_ASCII keeps bytes as they are. */
async function assertEncoding(database: MigratedDatabase, connection: Connection): Promise<void> {
  const row = await connection.get<{ encoding: string }>(
    "SELECT current_setting('server_encoding') AS encoding",
  );
  if (row === undefined || row.encoding === "UTF8" || row.encoding === "SQL_ASCII") return;
  throw new PawlError(
    "store.encoding",
    `The database of the store ${database.location} cannot keep every text, because its server_encoding is ${row.encoding}: use a database that was created with ENCODING 'UTF8'.`,
  );
}

async function createSchema(connection: Connection, schema: string): Promise<void> {
  // A user who may not create schemas can be given an empty one.
  const there = await connection.get<{ group: string | null }>(
    `SELECT CASE WHEN pg_has_role(nspowner, 'MEMBER') AND pg_has_role(nspowner, 'USAGE')
                 THEN quote_ident(pg_get_userbyid(nspowner)) END AS group
     FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  if (there === undefined) await connection.script(`CREATE SCHEMA ${schema}`);
  // Where it belongs to a role that several act as, what is made in it serves all of them.
  else if (there.group !== null) await connection.script(`SET LOCAL ROLE ${there.group}`);
  await connection.script(
    `CREATE TABLE pawl.version (version integer NOT NULL, min_compatible_version integer NOT NULL);
     INSERT INTO pawl.version VALUES (0, 0)`,
  );
}

/**
 * Undefined where there are no tables yet. Read from the catalog: what a session remembers of names it looked up before
 * it waited for others may be out of date.
 */
async function readVersion(connection: Connection, schema: string): Promise<Found | undefined> {
  const there = await connection.get(
    "SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'version'",
    [schema],
  );
  if (there === undefined) return undefined;
  return await connection.get<Found>("SELECT version, min_compatible_version FROM pawl.version");
}

async function assertServer(database: MigratedDatabase, connection: Connection): Promise<void> {
  const row = await connection.get<{ number: number; text: string }>(
    "SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS text",
  );
  if (row === undefined || row.number >= OLDEST_SERVER) return;
  throw new PawlError(
    "store.old-server",
    `The store ${database.location} is on PostgreSQL ${row.text}: it needs version 14 or newer.`,
  );
}
