import { PawlError, TransientError } from "./errors.ts";

/** Codes of Node for connections and names that may come back. */
const NETWORK =
  /^(ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_[A-Z]+|UND_ERR_[A-Z_]+)$/;

/** Codes of the operating system for what may pass: full disks, files in use, too many of them open. */
const SYSTEM = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "EBUSY"]);

/** Causes are followed so far: they may refer to each other in a ring. */
const DEEPEST = 16;

/** Whether a code of Node speaks of a connection that was lost or could not be made. */
export function isNetworkCode(code: string): boolean {
  return NETWORK.test(code);
}

/** Whether trying again may help: a TransientError, or a system error of the passing kind anywhere in its causes. */
export function isTransient(error: unknown): boolean {
  try {
    let at = error;
    for (let depth = 0; depth < DEEPEST && at instanceof Error; depth++) {
      if (at instanceof TransientError) return true;
      if (at instanceof PawlError) return false;
      const code = (at as { code?: unknown }).code;
      // A name that does not exist is a mistake of the caller far more often than of the network.
      if (typeof code === "string" && code !== "ENOTFOUND" && (SYSTEM.has(code) || NETWORK.test(code)))
        return true;
      at = at.cause;
    }
  } catch {
    // What cannot even be looked at, such as a revoked proxy, does not pass.
  }
  return false;
}

/**
 * Classes and codes of PostgreSQL's errors that may pass: connections (08), transactions that met others (40, 55P03, 55006),
 * resources (53), a server that stops or starts (57P0x), a cancelled statement (57014), its disk (58030), and sessions that
 * it ended for being idle (25P03, 25P04). Source: appendix "PostgreSQL Error Codes" of its manual.
 */
const SQL_STATES = /^(08|53|57P0|40|55P03|55006|57014|58030|25P0[34])/;

/** Of these, what met another transaction and did not happen: the same may succeed at once. */
const SQL_CONFLICTS = /^(40|55P03)/;

/** Of these, what ended the connection. */
const SQL_DISCONNECTS = /^(08|57P0|25P03)/;

export function isTransientSqlState(state: string): boolean {
  return SQL_STATES.test(state);
}

export function isConflictSqlState(state: string): boolean {
  return SQL_CONFLICTS.test(state);
}

export function isDisconnectSqlState(state: string): boolean {
  return SQL_DISCONNECTS.test(state);
}

/** SQLITE_BUSY, SQLITE_LOCKED and SQLITE_PROTOCOL: another process or thread holds the file. https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = new Set([5, 6, 15]);

/** Whether a result code of SQLite, extended or not, says that the file is busy. */
export function isBusySqliteCode(code: number): boolean {
  return SQLITE_BUSY.has(code & 0xff);
}

/** Statuses of HTTP after which the same request may succeed: a timeout, too many requests, and the server's own errors. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}
