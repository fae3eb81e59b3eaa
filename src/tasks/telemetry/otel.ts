import type { Trace } from "./trace.ts";

/** OpenTelemetry's API. Its types stay in this folder: who has not installed it can use Pawl all the same. */
export type Api = typeof import("@opentelemetry/api");

/** Where the API keeps what was registered with it, whichever copy of the package did. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

let loaded: Api | undefined;
let missing = false;

/**
 * OpenTelemetry, where the program has set it up; otherwise undefined. Who does not use it pays for one look at a symbol,
 * and need not have the package.
 */
export async function otel(): Promise<Api | undefined> {
  if (loaded !== undefined || hasNoOtel()) return loaded;
  try {
    loaded = await import("@opentelemetry/api");
  } catch {
    // Another package brought a copy of its own that we cannot reach.
    missing = true;
  }
  return loaded;
}

/** Whether it is known without waiting that `otel` gives nothing. */
export function hasNoOtel(): boolean {
  return loaded === undefined && (missing || !(REGISTERED in globalThis));
}

export const SCOPE = "pawl";

/** Runs something as part of a trace that came from elsewhere. */
export async function within<T>(from: Trace | null, body: () => Promise<T>): Promise<T> {
  const api = from === null ? undefined : await otel();
  if (api === undefined || from === null) return await body();
  const { context, propagation, ROOT_CONTEXT } = api;
  return await context.with(propagation.extract(ROOT_CONTEXT, from), body);
}

/** The trace that is active now, as text; null where there is none. */
export function activeTrace({ context, propagation }: Api): Trace | null {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return Object.keys(carrier).length === 0 ? null : carrier;
}
