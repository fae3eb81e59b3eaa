import { closeSource, iteratorOf } from "../source.ts";

/**
 * The items of a call, taken one at a time and only when asked for. It can be ended while the one who gives them still
 * thinks about the next: whoever waits for that one hears that there is none.
 */
export class Source<T> implements AsyncIterable<T>, AsyncIterator<T> {
  readonly #items: Iterator<T> | AsyncIterator<T>;
  /** Who waits for a next item that has not come yet. */
  #waiting: ((result: IteratorResult<T>) => void) | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;
  #exhausted = false;
  #closed: Promise<void> | null = null;

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    this.#items = iteratorOf(items);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Calls that overlap get their items one after the other, for not every iterator can be asked twice at once. */
  next(): Promise<IteratorResult<T>> {
    const next = this.#turn.then(() => this.#pull());
    this.#turn = next.catch(() => {});
    return next;
  }

  /** Gives nothing more. */
  end(): void {
    this.#ended = true;
    this.#waiting?.({ done: true, value: undefined });
  }

  /** Lets go of what the items come from, once. One that still thinks is told, and not waited for. */
  close(): Promise<void> {
    this.end();
    this.#closed ??= this.#exhausted ? Promise.resolve() : this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#exhausted = true;
    try {
      await closeSource(this.#items, this.#waiting !== null);
    } catch {
      // The results that there are, or the error that ends the call, are what counts.
    }
  }

  async #pull(): Promise<IteratorResult<T>> {
    if (this.#ended || this.#exhausted) return { done: true, value: undefined };
    try {
      const pulled = this.#items.next();
      const result = "then" in pulled ? await this.#orEnd(pulled) : pulled;
      if (result.done && !this.#ended) this.#exhausted = true;
      return result;
    } catch (error) {
      // An iterator that threw is over.
      this.#exhausted = true;
      throw error;
    }
  }

  #orEnd(pulled: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
    this.#waiting = resolve;
    pulled.then(
      (result) => {
        this.#waiting = null;
        resolve(result);
      },
      (error) => {
        this.#waiting = null;
        reject(error);
      },
    );
    return promise;
  }
}
