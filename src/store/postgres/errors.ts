import { LostError, PawlError, TransientError } from "../../errors.ts";
import { explainAccess, isNetwork, oneLine, sqlState } from "../../postgres-errors.ts";
import { retry } from "../../retry.ts";
import { isConflictSqlState, isDisconnectSqlState, isTransientSqlState } from "../../transient-errors.ts";
import { noSuchRun, storeFull } from "../sql/errors.ts";

/** A transaction that the server had ended before its statement came. */
const TRANSACTION_GONE = /^25P0[12]/;

/** Waited for like the others, because a server that takes over may do so in a moment; but no longer. */
const READ_ONLY = "25006";

/** It is not known yet whether a transaction was committed. */
export const IN_DOUBT = "store.in-doubt";

/** Whether the connection is gone, and with it what was asked over it. */
export function isDisconnect(error: unknown): boolean {
  const code = sqlState(error);
  return code === null ? isNetwork(error) : isDisconnectSqlState(code);
}

/** Whether the same operation may succeed a moment later. A wrong host or a missing password stays wrong. */
function mayRetry(error: unknown): boolean {
  if (error instanceof TransientError) return error.code === IN_DOUBT;
  if (error instanceof PawlError) return false;
  if (error instanceof Error && /ENOTFOUND|client password/.test(error.message)) return false;
  const code = sqlState(error);
  return (
    isDisconnect(error) ||
    (code !== null && (isConflictSqlState(code) || code === READ_ONLY || code === "53300"))
  );
}

/**
 * Runs again what failed because of a conflict, or because the server is away for a moment; fails after `ms` with an error
 * that names the location of the store. An attempt that failed must have left nothing behind.
 */
export async function retryTransient<T>(attempt: () => Promise<T>, location: string, ms: number): Promise<T> {
  try {
    return await retry(attempt, { isTransient: mayRetry, deadlineMs: ms, baseMs: 10, capMs: 1_000 });
  } catch (error) {
    throw explain(error, location);
  }
}

/** The name of the constraint that a write broke, if one did. */
export function brokenConstraint(error: unknown): string | undefined {
  const code = sqlState(error);
  return code === "23505" || code === "23503" ? (error as { constraint?: string }).constraint : undefined;
}

/** Says an error of the server or the network in one sentence; errors of our own stay as they are. */
export function explain(error: unknown, location: string): unknown {
  if (error instanceof PawlError || error instanceof LostError) return error;
  const known = explainAccess(error, location);
  if (known !== null) return known;
  const code = sqlState(error);
  if (code === null) return error;
  const text = oneLine((error as Error).message);
  const cause = { cause: error };
  if (code === "53100") return storeFull(location, error);
  if (brokenConstraint(error)?.endsWith("_run_id_fkey")) return noSuchRun(location, error);
  if (code === "42P01" || code === "3F000") {
    return new PawlError(
      "store.gone",
      `The tables of the store ${location} are gone (${text}): restore them, or start again to create new ones.`,
      cause,
    );
  }
  if (code === READ_ONLY) {
    return new PawlError(
      "store.read-only",
      `The database of the store ${location} takes no writes: use the primary server if it is a standby, or set default_transaction_read_only = off.`,
      cause,
    );
  }
  if (isTransientSqlState(code) || TRANSACTION_GONE.test(code)) {
    return new TransientError(
      "store.busy",
      `The store ${location} answered "${text}": it may work later.`,
      cause,
    );
  }
  return new PawlError(`store.${code}`, `The store ${location} refused: ${text}.`, cause);
}
