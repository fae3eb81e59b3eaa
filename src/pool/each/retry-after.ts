/** Something that has headers: a Headers object, or names in lower case. */
type WithHeaders = { readonly headers?: unknown };

/**
 * How long a server asked to be left alone, in milliseconds, as an error tells it: by its own `retryAfter`, or by the
 * header `retry-after` of its `headers` or of its `response`. The value is seconds or a date (RFC 9110, 10.2.3). Null
 * when it says nothing that can be understood.
 */
export function retryAfterMs(error: unknown, nowMs: number): number | null {
  if (!isObject(error)) return null;
  const { retryAfter, response } = error as { retryAfter?: unknown; response?: unknown };
  const said =
    retryAfter ??
    header(error as WithHeaders) ??
    (isObject(response) ? header(response as WithHeaders) : null);
  return millisecondsOf(said, nowMs);
}

function header({ headers }: WithHeaders): unknown {
  if (!isObject(headers)) return null;
  if (headers instanceof Headers) return headers.get("retry-after");
  return (headers as Readonly<Record<string, unknown>>)["retry-after"] ?? null;
}

function millisecondsOf(said: unknown, nowMs: number): number | null {
  if (said instanceof Date) return fromNow(said.getTime(), nowMs);
  if (typeof said === "number") return said >= 0 && Number.isFinite(said) ? said * 1000 : null;
  if (typeof said !== "string") return null;
  const text = said.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  // A date has letters in it; Date.parse alone would take "-1" for a year.
  return /[a-z]/i.test(text) ? fromNow(Date.parse(text), nowMs) : null;
}

function fromNow(ms: number, nowMs: number): number | null {
  return Number.isNaN(ms) ? null : Math.max(0, ms - nowMs);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
