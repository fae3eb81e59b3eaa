/** A queue in one process: the same few words for all of them. Its tasks do nothing. */
export interface Rival {
  /** Stores so many calls, in the way that is best for many. Resolves when the queue says that it has them. */
  enqueue(tasks: number): Promise<void>;
  /**
   * Starts a worker on a queue that holds so many. Resolves with the milliseconds from the first call to the moment
   * when all are stored as done; then the worker has been stopped.
   */
  drain(tasks: number): Promise<number>;
  close(): Promise<void>;
}

/** What a call carries. */
export interface Input {
  readonly number: number;
}

export function inputs(tasks: number): Input[] {
  return Array.from({ length: tasks }, (_, number) => ({ number }));
}

/** Cuts a list into batches. */
export function* batches<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}

/** Counts calls of a handler. */
export class Countdown {
  #left: number;
  #began: number | undefined;
  readonly #over = Promise.withResolvers<void>();

  constructor(tasks: number) {
    this.#left = tasks;
  }

  /** One was called. */
  readonly call = (): void => {
    this.#began ??= performance.now();
    this.#left--;
    if (this.#left === 0) this.#over.resolve();
  };

  /** Resolves once all have been called; with the moment of the first call. */
  async over(): Promise<number> {
    await this.#over.promise;
    return this.#began ?? 0;
  }
}

/** Resolves once it is so: what is looked at is the store, so not too often. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}
