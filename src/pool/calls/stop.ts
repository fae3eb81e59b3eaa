/** Stops who waits, one wait at a time. Unlike a race with one long-lived promise, past waits leave nothing behind. */
export class Stop {
  #stopped: { readonly error: unknown } | null = null;
  #reject = (_error: unknown): void => {};

  get isStopped(): boolean {
    return this.#stopped !== null;
  }

  throwIfStopped(): void {
    if (this.#stopped !== null) throw this.#stopped.error;
  }

  /** Whoever waits, now or later, gets this error. */
  now(error: unknown): void {
    this.#stopped ??= { error };
    this.#reject(this.#stopped.error);
  }

  /** The outcome of the promise, unless it is stopped before; then `stopped` is called first. */
  async or<T>(promise: PromiseLike<T>, stopped?: () => void): Promise<T> {
    if (this.#stopped !== null) {
      // Nobody hears of what becomes of it.
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

/** The signal of calls that were given none. */
export const never: AbortSignal = new AbortController().signal;
