import { PawlError } from "../../errors.ts";
import { withTimeout } from "../../timers.ts";

/** Where items come from. */
export type Source<T = unknown> = AsyncIterator<T> | Iterator<T>;

/** How long a source may take to close, in milliseconds; after that nobody waits for it. */
const CLOSE_MS = 1000;

/** Throws `pool.option` where there is nothing to iterate over: a number, null, an object that only looks like a list. */
export function iteratorOf<T>(items: Iterable<T> | AsyncIterable<T>): Source<T> {
  const given: Partial<Iterable<T> & AsyncIterable<T>> | null | undefined = items;
  const iterator = given?.[Symbol.asyncIterator]?.() ?? given?.[Symbol.iterator]?.();
  if (iterator !== undefined) return iterator;
  throw new PawlError(
    "pool.option",
    `The items must be an array or something else to iterate over, not ${given === null ? "null" : `a ${typeof given}`} without an iterator.`,
  );
}

/**
 * Tells a source that no more is wanted, and waits for a while until it has closed. Throws what it throws. One that still
 * thinks about its next item is told and not waited for.
 */
export async function closeSource(source: Source, thinks: boolean): Promise<void> {
  const closing = source.return?.();
  if (closing === undefined || !("then" in closing)) return;
  if (thinks) closing.then(undefined, () => {});
  else await withTimeout(closing, CLOSE_MS, () => {});
}
