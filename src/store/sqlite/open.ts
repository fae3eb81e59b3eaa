import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { PawlError } from "../../errors.ts";
import { assertOwnFile, openStateFile, openStateFolder, refuseDangling } from "../../private-folder.ts";
import { DatabaseSync } from "../../sqlite.ts";
import { type Clock, machineClock } from "../clock.ts";
import type { Store } from "../contract.ts";
import { SqlStore } from "../sql/store.ts";
import { storeMissing } from "../state-location.ts";
import { BLOCKING_MS, Connection, whenFree } from "./connection.ts";
import { SqliteDriver } from "./driver.ts";
import { FileIdentity } from "./file-identity.ts";
import { assertStore, migrate } from "./schema.ts";

/** The log shrinks back to this after a large transaction. */
const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

/** Pages kept in memory, at most. SQLite's 2 MB are too few for the index of the ids of 100,000 tasks. */
const CACHE_KIB = 16 * 1024;

/** The log is copied into the file when it has so many pages: the longer, the more often is one page copied for many. */
const CHECKPOINT_PAGES = 4_000;

interface OpenedFile {
  readonly database: DatabaseSync;
  readonly files: FileIdentity;
}

function open(location: string): OpenedFile {
  openStateFolder(dirname(location));
  const file = openStateFile(location);
  // Who can write the log writes the store. Asked again once SQLite has made what was not there.
  assertOwnParts(file);
  const database = new DatabaseSync(file, { timeout: BLOCKING_MS });
  try {
    assertStore(database, location);
    const mode = database.prepare("PRAGMA journal_mode = WAL").get();
    if (mode?.journal_mode !== "wal") {
      throw new PawlError(
        "store.no-shared-memory",
        `The file system of ${location} cannot share a store between processes: choose a path on a local disk.`,
      );
    }
    // FULL flushes the log at each commit: what is settled stays settled when the power goes.
    database.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES};
      PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    migrate(database, location);
    // SQLite's own lower() knows only ASCII.
    database.function("pawl_lower", { deterministic: true }, (text) => String(text).toLowerCase());
    // A read makes sure that the log and the shared memory are there.
    database.prepare("SELECT value FROM counter LIMIT 1").get();
    assertOwnParts(file);
    return { database, files: new FileIdentity(location) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function assertOwnParts(file: string): void {
  for (const part of ["-wal", "-shm", "-journal"]) assertOwnFile(file + part);
}

function assertThere(location: string): void {
  try {
    statSync(location);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") {
      for (const path of [dirname(location), location]) refuseDangling(path);
      throw storeMissing(location);
    }
    throw new PawlError(
      "store.cannot-open",
      `The store ${location} lies in a folder that this user may not enter: run as the user that the work was begun as.`,
      { cause: error },
    );
  }
}

/** Opens or creates the file at `path`. Errors as for `openStore`. */
export async function openSqliteStore(
  path: string,
  { clock = machineClock, create = true }: { clock?: Clock; create?: boolean } = {},
): Promise<Store> {
  if (path === "" || path.startsWith(":")) {
    throw new PawlError(
      "store.cannot-open",
      "The store needs the path of a file, so that processes can share it.",
    );
  }
  const location = resolve(path);
  if (!create) assertThere(location);
  const { database, files } = await whenFree(() => open(location), location);
  return new SqlStore(new SqliteDriver(new Connection(database, files, location, clock)));
}
