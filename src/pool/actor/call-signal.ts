import { AsyncLocalStorage } from "node:async_hooks";

const signals = new AsyncLocalStorage<() => AbortSignal>();
const never = new AbortController().signal;

/**
 * The signal of the call of an actor that runs here, also in what it awaits: it aborts when the soft limit of the
 * call is over or its caller's signal aborts. Elsewhere, and for a call with neither, one that never aborts.
 *
 * @example
 * ```ts
 * class Crawler {
 *   async fetch(url: string) {
 *     const response = await fetch(url, { signal: callSignal() });
 *     return await response.text();
 *   }
 * }
 * callable(import.meta, Crawler);
 * ```
 */
export function callSignal(): AbortSignal {
  return signals.getStore()?.() ?? never;
}

/** Runs a call with its signal, or with none where the call before it had one. */
export function withSignal<T>(signal: (() => AbortSignal) | undefined, fn: () => T): T {
  if (signal === undefined) return signals.getStore() === undefined ? fn() : signals.exit(fn);
  return signals.run(signal, fn);
}
