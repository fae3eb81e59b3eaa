import { PawlError, TransientError } from "../../errors.ts";
import { isBusySqliteCode } from "../../transient-errors.ts";
import { noSuchRun, storeFull } from "../sql/errors.ts";

/** Result codes of SQLite, https://www.sqlite.org/rescode.html; extended codes hold these in their low byte. */
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** The primary result code of an error of SQLite, or undefined for any other error. */
function resultCode(error: unknown): number | undefined {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code & 0xff : undefined;
}

/** Whether another process or thread holds the file just now. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code !== undefined && isBusySqliteCode(code);
}

/** Whether the write broke a unique index: SQLITE_CONSTRAINT_UNIQUE or SQLITE_CONSTRAINT_PRIMARYKEY. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (error.errcode === 2067 || error.errcode === 1555);
}

/** SQLITE_CONSTRAINT_FOREIGNKEY: samples and quarantined items belong to a run. */
const NO_SUCH_RUN = 787;

/** Says an error of SQLite or of the file system in one sentence; errors of another kind stay as they are. */
export function explain(error: unknown, location: string): unknown {
  const cause = { cause: error };
  if (error instanceof Error && "errcode" in error && error.errcode === NO_SUCH_RUN) {
    return noSuchRun(location, error);
  }
  if (isBusy(error)) {
    return new TransientError(
      "store.busy",
      `The store ${location} is busy: another process has been writing to it for too long.`,
      cause,
    );
  }
  switch (resultCode(error)) {
    case FULL:
      return storeFull(location, error);
    case IOERR:
      return new TransientError(
        "store.io",
        `The store ${location} could not be read or written: check the disk it is on.`,
        cause,
      );
    case READONLY:
      return new PawlError(
        "store.read-only",
        `The store ${location} may not be written: give yourself permission to write the file and its folder.`,
        cause,
      );
    case CANTOPEN:
      return new PawlError(
        "store.cannot-open",
        `The store ${location} cannot be opened: make sure that it is a file in a folder you may write to.`,
        cause,
      );
    case NOTADB:
      return new PawlError(
        "store.not-a-store",
        `${location} is not a store of Pawl: move that file away or choose another path.`,
        cause,
      );
    case CORRUPT:
      return new PawlError(
        "store.corrupt",
        `The store ${location} is damaged: restore it from a backup, or move it away to start with an empty one.`,
        cause,
      );
    default:
      return explainSystem(error, location);
  }
}

function explainSystem(error: unknown, location: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
    case "ENOENT":
    case "ELOOP":
    case "ENAMETOOLONG":
    case "EEXIST":
      return new PawlError(
        "store.cannot-open",
        `The folder of the store ${location} cannot be created or written (${code}): choose another path.`,
        { cause: error },
      );
    case "ENOSPC":
    case "EDQUOT":
      return storeFull(location, error);
    default:
      return error;
  }
}
