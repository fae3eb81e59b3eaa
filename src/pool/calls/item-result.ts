/**
 * What became of one item when errors are collected: as of Promise.allSettled, and never the value or the error itself.
 * That it has no message says so to the compiler: after `result instanceof Error` there is no result left to read.
 */
export type Settled<T> = { readonly message?: never } & (
  | { readonly status: "fulfilled"; readonly value: T }
  | { readonly status: "rejected"; readonly reason: unknown }
);

/** What came out of the item at an index. */
export type ItemResult<R> =
  | { readonly index: number; readonly value: R }
  | { readonly index: number; readonly error: unknown };

/** A result as a caller that collects errors gets it. */
export function settledOf<R>(result: ItemResult<R>): Settled<R> {
  return "error" in result
    ? { status: "rejected", reason: result.error }
    : { status: "fulfilled", value: result.value };
}
