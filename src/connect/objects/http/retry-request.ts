import { type RetryPolicy, retry } from "../../../retry.ts";
import { isTransientFailure, ResponseError } from "./response-error.ts";

/** Attempts of one request in all. */
export const ATTEMPTS = 6;

/** No server is left alone for longer, whatever it asks for, since the whole run waits with it. */
const LONGEST_ASKED_MS = 60_000;

/** When requests are sent again, and after how long. */
export function requestRetries(): RetryPolicy {
  return {
    isTransient: isTransientFailure,
    attempts: ATTEMPTS,
    // Tests of lasting failures make it shorter.
    baseMs: Number(process.env.PAWL_PAUSE_MS ?? 200),
    jitter: "equal",
    longestAskedMs: LONGEST_ASKED_MS,
    askedMs: (error) => (error instanceof ResponseError ? error.retryAfterMs : null),
  };
}

/** Sends a request again where that may help: after what, such as 503 SlowDown, response-error.ts says. `onRetry` is told of each failure that is followed by another attempt. */
export async function retryRequest<T>(
  request: () => Promise<T>,
  signal?: AbortSignal,
  onRetry?: (error: unknown) => void,
): Promise<T> {
  return await retry(request, {
    ...requestRetries(),
    ...(signal === undefined ? {} : { signal }),
    ...(onRetry === undefined ? {} : { onRetry }),
  });
}
