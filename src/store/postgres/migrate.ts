import { PawlError } from "../../errors.ts";
import { foreignObject } from "../../postgres-ownership.ts";
import { noStore } from "../missing.ts";
import type { Database } from "./database.ts";
import { assertKnown, type Migration, migrations } from "./migrations.ts";
import type { Session } from "./session.ts";

/** PostgreSQL 14 is the oldest that is maintained. */
const OLDEST_SERVER = 140_000;

/** What the migrations make, and so what may be of nobody else. */
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

/**
 * Creates the tables or brings them to the latest version. Processes that do so at the same moment take turns. Throws
 * when the tables were made by a program so much newer that this one would harm them.
 */
export async function migrate(
  database: Database,
  {
    steps = migrations,
    create = true,
  }: { readonly steps?: readonly Migration[]; readonly create?: boolean } = {},
): Promise<void> {
  const found = await database.read(async (session) => {
    await assertEncoding(database, session);
    await assertOurs(database, session);
    return await readVersion(session, database.schema);
  });
  if (found !== undefined) {
    assertKnown(database.location, found.min_compatible_version, steps.length);
    if (found.version >= steps.length) return;
  } else if (!create) throw noStore(database.location);
  await database.read(async (session) => {
    await assertServer(database, session);
    await session.script("BEGIN");
    // By the name of the schema: other stores of the same server need not wait.
    await session.get("SELECT pg_advisory_xact_lock(hashtextextended($1, 7079))", [
      `pawl ${database.schema}`,
    ]);
    // Another process, or another role, may have been first meanwhile.
    await assertOurs(database, session);
    const now = await readVersion(session, database.schema);
    if (now !== undefined) assertKnown(database.location, now.min_compatible_version, steps.length);
    for (const { sql } of steps.slice(now?.version ?? 0)) {
      if (now === undefined && sql === steps[0]?.sql) await createSchema(session, database.schema);
      await session.script(sql);
    }
    if ((now?.version ?? 0) < steps.length) {
      await session.run("UPDATE pawl.version SET version = $1, min_compatible_version = $2", [
        steps.length,
        steps.at(-1)?.minCompatibleVersion ?? 1,
      ]);
    }
    await assertOurs(database, session);
    await session.script("COMMIT");
  });
}

/**
 * Whoever owns a table of the store, or a function or a trigger on one, has code of theirs run with the rights of each
 * role that works here.
 */
async function assertOurs(database: Database, session: Session): Promise<void> {
  const found = await foreignObject(
    (sql, values) => session.all(sql, values),
    { schema: database.schema, tables, functions, triggers },
    database.location,
  );
  if (found !== null) throw new PawlError("store.not-ours", found);
}

/** Payloads hold any character. SQL_ASCII keeps bytes as they are. */
async function assertEncoding(database: Database, session: Session): Promise<void> {
  const row = await session.get<{ encoding: string }>(
    "SELECT current_setting('server_encoding') AS encoding",
  );
  if (row === undefined || row.encoding === "UTF8" || row.encoding === "SQL_ASCII") return;
  throw new PawlError(
    "store.encoding",
    `The database of the store ${database.location} cannot keep every text, because its server_encoding is ${row.encoding}: use a database that was created with ENCODING 'UTF8'.`,
  );
}

async function createSchema(session: Session, schema: string): Promise<void> {
  // A user who may not create schemas can be given an empty one.
  const there = await session.get<{ group: string | null }>(
    `SELECT CASE WHEN pg_has_role(nspowner, 'MEMBER') AND pg_has_role(nspowner, 'USAGE')
                 THEN quote_ident(pg_get_userbyid(nspowner)) END AS group
     FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  if (there === undefined) await session.script(`CREATE SCHEMA ${schema}`);
  // Where it belongs to a role that several act as, what is made in it serves all of them.
  else if (there.group !== null) await session.script(`SET LOCAL ROLE ${there.group}`);
  await session.script(
    `CREATE TABLE pawl.version (version integer NOT NULL, min_compatible_version integer NOT NULL);
     INSERT INTO pawl.version VALUES (0, 0)`,
  );
}

/**
 * Undefined where there are no tables yet. Read from the catalog: what a session remembers of names it looked up before
 * it waited for others may be out of date.
 */
async function readVersion(session: Session, schema: string): Promise<Found | undefined> {
  const there = await session.get(
    "SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'version'",
    [schema],
  );
  if (there === undefined) return undefined;
  return await session.get<Found>("SELECT version, min_compatible_version FROM pawl.version");
}

async function assertServer(database: Database, session: Session): Promise<void> {
  const row = await session.get<{ number: number; text: string }>(
    "SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS text",
  );
  if (row === undefined || row.number >= OLDEST_SERVER) return;
  throw new PawlError(
    "store.old-server",
    `The store ${database.location} is on PostgreSQL ${row.text}: it needs version 14 or newer.`,
  );
}
