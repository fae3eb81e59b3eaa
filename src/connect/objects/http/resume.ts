import { retry } from "../../../retry.ts";
import { isTransientFailure } from "./response-error.ts";
import { requestRetries } from "./retry-request.ts";

/** A connection that brought at least so many bytes before it broke has made progress. */
const PROGRESS_BYTES = 64 * 1024;

/**
 * The bytes that `open` gives, across connections that break: after each break `open` is called for the bytes from the first
 * missing one on, with the error that broke the connection, which it throws where it cannot continue. `attempts` is how many
 * failures in a row without progress end the reading.
 */
export async function* resumed<T extends Uint8Array>(
  open: (from: number, cause: unknown) => Promise<AsyncIterable<T>>,
  attempts: number,
): AsyncGenerator<T, void, undefined> {
  let given = 0;
  let givenAtBreak = 0;
  let failures = 0;
  let cause: unknown = null;
  let pieces: AsyncIterator<T> | null = null;
  const mayResume = (error: unknown) => {
    if (!isTransientFailure(error)) return false;
    failures = given - givenAtBreak >= PROGRESS_BYTES ? 0 : failures + 1;
    givenAtBreak = given;
    return failures < attempts;
  };
  const next = async () => {
    pieces ??= (await open(given, cause))[Symbol.asyncIterator]();
    try {
      return await pieces.next();
    } catch (error) {
      pieces = null;
      cause = error;
      throw error;
    }
  };
  const policy = { ...requestRetries(), attempts: Number.POSITIVE_INFINITY, isTransient: mayResume };
  try {
    for (;;) {
      const piece = await retry(next, policy);
      if (piece.done) return;
      given += piece.value.length;
      yield piece.value;
    }
  } finally {
    await (pieces as AsyncIterator<T> | null)?.return?.();
  }
}
