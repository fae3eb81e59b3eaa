import { PawlError, TransientError } from "../../errors.ts";
import { isTransientStatus } from "../../transient-errors.ts";
import { ResponseError } from "./http/response-error.ts";

const PASSING_CODES = new Set([
  "RequestTimeout",
  "SlowDown",
  "InternalError",
  "ServiceUnavailable",
  "OperationAborted",
  // What arrived was not what was sent.
  "BadDigest",
  "Md5Mismatch",
  "IncompleteBody",
  "XAmzContentChecksumMismatch",
  "XAmzContentSHA256Mismatch",
]);

/** Whether trying again may help. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TransientError) return true;
  if (error instanceof PawlError) return false;
  if (!(error instanceof ResponseError)) return false;
  const { status, code } = error;
  return isTransientStatus(status) || PASSING_CODES.has(code);
}

/** How long the other side asked to be left alone, in milliseconds; null when it did not. */
export function askedToWait(error: unknown): number | null {
  return error instanceof ResponseError ? error.retryAfterMs : null;
}
