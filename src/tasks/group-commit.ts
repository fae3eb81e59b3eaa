import { type RetryPolicy, retry } from "../retry.ts";
import { isContentError } from "../store/internal.ts";

/** Texts that go to the store in one statement, in characters. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

export interface GroupCommitOptions<T> {
  /** The most entries in one transaction. */
  readonly most: number;
  /** About as much text as an entry brings to the store, in characters. */
  readonly characters: (entry: T) => number;
  /** Stores a batch in one transaction and answers each of its entries. Rejects where nothing of it was stored. */
  readonly store: (batch: readonly T[]) => Promise<void>;
  /** Told of an entry that was not stored: the store refuses what it holds, or does not work and is not asked again. */
  readonly failed: (entry: T, error: unknown) => void;
  /** Waits for entries that may join the next batch. Default: the end of the running code. */
  readonly gather?: () => Promise<unknown>;
  /** When a store that does not work is asked again. Default: never. */
  readonly retry?: Omit<RetryPolicy, "onRetry">;
}

const NEVER: RetryPolicy = { isTransient: () => false };

/**
 * Group commit: entries that come while one transaction is flushed to disk go into the next one, in their order. Where
 * the store refuses what an entry holds, the batch is stored by halves, so that this entry fails alone. After a failure of
 * the store itself the batch goes to the end of the queue, and fewer entries go together: one of them may be what the
 * store fails at each time, and must not hold up the others.
 */
export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>;
  readonly #retry: RetryPolicy;
  readonly #waiting: T[] = [];
  /** Entries of the latest attempt that the store did not store, and did not refuse. */
  #unstored: readonly T[] = [];
  #most: number;
  #flushing: Promise<void> | undefined;

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options;
    this.#most = options.most;
    this.#retry = {
      ...(options.retry ?? NEVER),
      onRetry: () => {
        this.#most = Math.max(1, this.#unstored.length >> 1);
      },
    };
  }

  add(entry: T): void {
    this.#waiting.push(entry);
    this.#flushing ??= this.#flush();
  }

  /** Entries that are not in a transaction yet. */
  get backlog(): number {
    return this.#waiting.length;
  }

  /** Resolves when every entry is stored or has failed. */
  async flushed(): Promise<void> {
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    const { gather, failed } = this.#options;
    do {
      try {
        await retry(async () => {
          this.#waiting.push(...this.#unstored);
          this.#unstored = [];
          await gather?.();
          await this.#store(this.#nextBatch());
        }, this.#retry);
      } catch (error) {
        for (const entry of this.#unstored) failed(entry, error);
        this.#unstored = [];
      }
    } while (this.#waiting.length > 0);
    this.#flushing = undefined;
  }

  /** Takes the first entries: no more text than a statement should carry, but one entry at least. */
  #nextBatch(): T[] {
    const { characters } = this.#options;
    let sum = 0;
    let count = 0;
    for (const entry of this.#waiting) {
      if (count === this.#most) break;
      sum += characters(entry);
      if (count > 0 && sum > MOST_CHARACTERS) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(batch: readonly T[]): Promise<void> {
    const { most, store, failed } = this.#options;
    const parts = [batch];
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      try {
        await store(part);
        this.#most = Math.min(most, this.#most * 2);
      } catch (error) {
        if (!isContentError(error)) {
          this.#unstored = [part, ...parts].flat();
          throw error;
        }
        const half = part.length >> 1;
        if (half === 0) failed(part[0] as T, error);
        else parts.unshift(part.slice(0, half), part.slice(half));
      }
    }
  }
}
