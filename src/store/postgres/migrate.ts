import { PawlError } from "../../errors.ts";
import { noStore } from "../missing.ts";
import type { Database } from "./database.ts";
import { type Migration, migrations } from "./migrations.ts";
import type { Session } from "./session.ts";

/** PostgreSQL 14 is the oldest that is maintained. */
const OLDEST_SERVER = 140_000;

interface Found {
  readonly version: number;
  readonly works_with: number;
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
  const found = await database.read((session) => readVersion(session, database.schema));
  if (found !== undefined) {
    assertKnown(database, found, steps.length);
    if (found.version >= steps.length) return;
  } else if (!create) throw noStore(database.location);
  await database.read(async (session) => {
    await assertServer(database, session);
    await session.script("BEGIN");
    // By the name of the schema: other stores of the same server need not wait.
    await session.get("SELECT pg_advisory_xact_lock(hashtextextended($1, 7079))", [
      `pawl ${database.schema}`,
    ]);
    // Another process may have been first meanwhile.
    const now = await readVersion(session, database.schema);
    if (now !== undefined) assertKnown(database, now, steps.length);
    for (const { sql } of steps.slice(now?.version ?? 0)) {
      if (now === undefined && sql === steps[0]?.sql) await createSchema(session, database.schema);
      await session.script(sql);
    }
    if ((now?.version ?? 0) < steps.length) {
      await session.run("UPDATE pawl.version SET version = $1, works_with = $2", [
        steps.length,
        steps.at(-1)?.worksWith ?? 1,
      ]);
    }
    await session.script("COMMIT");
  });
}

async function createSchema(session: Session, schema: string): Promise<void> {
  // A user who may not create schemas can be given an empty one.
  const there = await session.get("SELECT FROM pg_namespace WHERE nspname = $1", [schema]);
  if (there === undefined) await session.script(`CREATE SCHEMA ${schema}`);
  await session.script(
    `CREATE TABLE pawl.version (version integer NOT NULL, works_with integer NOT NULL);
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
  return await session.get<Found>("SELECT version, works_with FROM pawl.version");
}

function assertKnown(database: Database, found: Found, known: number): void {
  if (found.works_with <= known) return;
  throw new PawlError(
    "store.newer",
    `The store ${database.location} was changed by a newer version of Pawl: update Pawl to use it.`,
  );
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
