import { createRequire } from "node:module";
import type { DuckDBPendingResult, DuckDBResult } from "@duckdb/node-api";

/**
 * Calls of DuckDB that wait in libuv's pool of threads, of this whole process. The pool has four, and files and names are looked up on
 * them too: with two, the program's own calls never wait for a query.
 */
const CALLS_AT_ONCE = 2;

let running = 0;
const waiting: (() => void)[] = [];

/** Makes a call of DuckDB that waits in libuv's pool, when one of two places is free. */
export async function call<R>(make: () => Promise<R>): Promise<R> {
  if (running < CALLS_AT_ONCE) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await make();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

/** What the native module says of a query that DuckDB's own threads work on. */
interface Bindings {
  pending_execute_check_state(pending: unknown): number;
}

/** The query has ended: the state `error` stands for that too, since the C interface has none for "finished". */
const READY = 0;
const ENDED = 2;

/** Milliseconds between two looks at a query that has run for some time. */
const LONGEST_LOOK_MS = 8;

let bindings: Bindings | undefined;

/**
 * Waits until DuckDB's own threads have ended a query, or a stream has its first rows. No thread of libuv waits for it: the state
 * is looked at now and then. `look` is called each time.
 */
export async function ended(pending: DuckDBPendingResult, look: () => void): Promise<void> {
  const raw = (pending as unknown as { readonly pending_result: unknown }).pending_result;
  bindings ??= loadBindings();
  for (let times = 0; ; times++) {
    const state = bindings.pending_execute_check_state(raw);
    if (state === READY || state === ENDED) return;
    look();
    if (times < 4) await new Promise<void>((resolve) => setImmediate(resolve));
    else await new Promise<void>((resolve) => setTimeout(resolve, Math.min(times - 3, LONGEST_LOOK_MS)));
  }
}

/** node-api does not hand the module on, and package managers that keep packages apart let only node-api find it. */
function loadBindings(): Bindings {
  const require = createRequire(createRequire(import.meta.url).resolve("@duckdb/node-api"));
  return require("@duckdb/node-bindings") as Bindings;
}

/** Whether a stream that gave no more rows did so because its query failed: DuckDB ends it without an error. */
export function hasFailed(result: DuckDBResult): boolean {
  const QUERY_RESULT = 3;
  return (result.returnType as number) !== QUERY_RESULT;
}
