/** Errors that both databases have, each a sentence for the person who must act. */
import { isOf } from "../../error-text.ts";
import { LostError, PawlError, TransientError } from "../../errors.ts";

export function storeClosed(location: string): PawlError {
  return new PawlError("store.closed", `The store ${location} is closed: open it again to use it.`);
}

export function storeFull(location: string, cause: unknown): TransientError {
  return new TransientError(
    "store.full",
    `The disk that holds the store ${location} is full: free some space, and the work continues.`,
    { cause },
  );
}

export function storeNewer(location: string): PawlError {
  return new PawlError(
    "store.newer",
    `The store ${location} was written by a newer version of Pawl: update Pawl to use it.`,
  );
}

export function noSuchRun(location: string, cause: unknown): PawlError {
  return new PawlError("store.no-such-run", `The store ${location} has no such run.`, { cause });
}

/** Codes of errors that concern the store as a whole, not what was to be written. */
const OF_THE_STORE =
  /^(postgres\.|store\.(closed|gone|newer|clock|read-only|cannot-open|corrupt|not-a-store|no-shared-memory)$)/;

/**
 * Whether a store refused an operation because of its content: a text with a NUL, a number that is not an instant, a row too large
 * for an index. Then one part of a batch may be at fault, and the others can be stored without it; trying the same again
 * cannot help. False when the store cannot be reached, is busy, full or closed, or may not be written.
 */
export function isContentError(error: unknown): boolean {
  if (isOf(error, TransientError) || isOf(error, LostError)) return false;
  return !(isOf(error, PawlError) && OF_THE_STORE.test(error.code));
}
