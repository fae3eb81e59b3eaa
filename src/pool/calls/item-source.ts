import { PawlError } from "../../errors.ts";
import { withTimeout } from "../../timers.ts";

/** Where items come from. */
export type ItemSource<T = unknown> = AsyncIterator<T> | Iterator<T>;

/** How long a source may take to close, in milliseconds; after that it is not waited for. */
const CLOSE_MS = 1000;

/** Throws `pool.option` where there is nothing to iterate over: a number, null, an object that only looks like a list. */
export function iteratorOf<T>(items: Iterable<T> | AsyncIterable<T>): ItemSource<T> {
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
export async function closeSource(source: ItemSource, thinks: boolean): Promise<void> {
  const closing = source.return?.();
  if (closing === undefined || !("then" in closing)) return;
  if (thinks) closing.then(undefined, () => {});
  else await withTimeout(closing, CLOSE_MS, () => {});
}

/**
 * Ends the waiting for a source or a function, one wait at a time. Unlike a race with one long-lived promise, waits that are over
 * leave nothing behind.
 */
export class StoppableWait {
  #stopped: { readonly error: unknown } | null = null;
  #reject = (_error: unknown): void => {};

  get isStopped(): boolean {
    return this.#stopped !== null;
  }

  throwIfStopped(): void {
    if (this.#stopped !== null) throw this.#stopped.error;
  }

  /** Who waits, now or later, gets this error. */
  stop(error: unknown): void {
    this.#stopped ??= { error };
    this.#reject(this.#stopped.error);
  }

  /** What the promise gives, unless it is stopped before; then `stopped` is called first. */
  async until<T>(promise: PromiseLike<T>, stopped?: () => void): Promise<T> {
    if (this.#stopped !== null) {
      // Its own error is not used any more.
      promise.then(undefined, () => {});
      stopped?.();
      throw this.#stopped.error;
    }
    return await new Promise<T>((resolve, reject) => {
      this.#reject = (error) => {
        stopped?.();
        reject(error);
      };
      promise.then(
        (value) => {
          this.#reject = () => {};
          resolve(value);
        },
        (error) => {
          this.#reject = () => {};
          reject(error);
        },
      );
    });
  }
}

/** The signal of calls without one: it never aborts. */
export const never: AbortSignal = new AbortController().signal;
