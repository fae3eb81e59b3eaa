/** Something that has headers: a Headers object, or names in lower case. */
type WithHeaders = { readonly headers?: unknown };

/**
 * How long a server asked a client to wait by the value of a `Retry-After` header, in milliseconds: seconds or a date
 * (RFC 9110, 10.2.3). Null when it says nothing that can be understood.
 */
export function retryAfterMs(value: unknown, nowMs: number = Date.now()): number | null {
  if (value instanceof Date) return fromNow(value.getTime(), nowMs);
  if (typeof value === "number") return value >= 0 && Number.isFinite(value) ? value * 1000 : null;
  if (typeof value !== "string") return null;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  // A date has letters in it; Date.parse alone would take "-1" for a year.
  return /[a-z]/i.test(text) ? fromNow(Date.parse(text), nowMs) : null;
}

/** Causes are followed so far: they may refer to each other in a ring. */
const DEEPEST = 16;

/**
 * The same as a thrown error tells it: by its own `retryAfter`, or by the header `retry-after` of its `headers` or of its
 * `response`, which is where clients of HTTP put it; or else as its cause tells it, which may be a `Response`.
 */
export function retryAfterOfError(error: unknown, nowMs: number = Date.now()): number | null {
  try {
    let at = error;
    for (let depth = 0; depth < DEEPEST && isObject(at); depth++) {
      const { retryAfter, response, cause } = at as Record<"retryAfter" | "response" | "cause", unknown>;
      const value =
        retryAfter ??
        header(at as WithHeaders) ??
        (isObject(response) ? header(response as WithHeaders) : null);
      if (value !== null) return retryAfterMs(value, nowMs);
      at = cause;
    }
  } catch {
    // What cannot even be looked at, such as a revoked proxy, says nothing.
  }
  return null;
}

function header({ headers }: WithHeaders): unknown {
  if (!isObject(headers)) return null;
  if (headers instanceof Headers) return headers.get("retry-after");
  return (headers as Readonly<Record<string, unknown>>)["retry-after"] ?? null;
}

function fromNow(ms: number, nowMs: number): number | null {
  return Number.isNaN(ms) ? null : Math.max(0, ms - nowMs);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
