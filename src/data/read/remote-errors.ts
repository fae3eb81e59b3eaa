import { explainResponse, isChangedObject, ResponseError } from "../../connect/objects/internal.ts";
import { ItemError, PawlError, TransientError } from "../../errors.ts";

/** What went wrong with an object or a bucket, in one sentence that names it. Errors that say so already are returned as they are. */
export function explainRemote(error: unknown, name: string): unknown {
  const cause = { cause: error };
  if (isChangedObject(error)) return changedWhileRead(name, error);
  if (error instanceof ResponseError && error.fatal === null) {
    if (error.status === 404 || error.status === 410)
      return new PawlError("data.missing", `${name} does not exist: check its name.`, cause);
    if (error.status === 401 || error.status === 403)
      return new PawlError(
        "data.permission",
        `${name} may not be read (${error.code}): check the credentials and what they allow there, or whether a signature has expired.`,
        cause,
      );
    if (error.isTransient)
      return new TransientError(
        "data.unavailable",
        `${name} could not be read, ${error.server} answers ${error.code}: try again later.`,
        cause,
      );
  }
  // An ItemError quarantines one object of a copy; here every object is needed.
  if (error instanceof ItemError) return new PawlError("data.address", `${name}: ${error.message}.`, cause);
  if (error instanceof TransientError && !error.code.startsWith("data."))
    return new TransientError(
      "data.unavailable",
      `${name} could not be read (${error.message}): try again later.`,
      cause,
    );
  return explainResponse(error);
}

/** An object that is another one by now than when the reading began: its parts would be a mixture of both. */
export function changedWhileRead(name: string, cause?: unknown): PawlError {
  return new PawlError(
    "data.changed",
    `${name} was changed while it was read: read it again once nothing writes to it.`,
    { cause },
  );
}
