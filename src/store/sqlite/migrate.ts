import type { DatabaseSync } from "node:sqlite";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { migrations } from "./migrations.ts";

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
  throw new PawlError(
    "store.newer",
    `The store ${location} was written by a newer version of Pawl: update Pawl to use it.`,
  );
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
