import type { Call } from "./call.ts";
import { type Portion, Returned, type Work } from "./work.ts";

/**
 * What became of one item when errors are collected: as of Promise.allSettled, and never the value or the error itself.
 * That it has no message says so to the compiler: after `result instanceof Error` there is no result left to read.
 */
export type Settled<T> = { readonly message?: never } & (
  | { readonly status: "fulfilled"; readonly value: T }
  | { readonly status: "rejected"; readonly reason: unknown }
);

/** What becomes of errors of items: the first ends the call, or each is told in its item's place. */
export interface Collecting {
  readonly errors: "collect";
}

/** A list of items, or what is asked in the same way. */
type Sliceable = Pick<readonly unknown[], "length" | "slice">;

/** All items of a map that go to workers, and the results in their order. */
export class Mapped implements Work {
  readonly call: Call;
  barren = 0;
  readonly #items: Sliceable;
  readonly #results: unknown[];
  readonly #collect: boolean;
  readonly #outcome = Promise.withResolvers<void>();
  readonly #returned = new Returned();
  #next: number;
  #missing: number;
  #stopped = false;

  /** The items before `from` have their results already. */
  constructor(call: Call, items: Sliceable, results: unknown[], from: number, collect: boolean) {
    this.call = call;
    this.#items = items;
    this.#results = results;
    this.#next = from;
    this.#missing = items.length - from;
    this.#collect = collect;
    this.#outcome.promise.catch(() => {});
    if (this.#missing === 0) this.#outcome.resolve();
  }

  /** Resolves when each item has its result; rejects with the first error, unless errors are collected. */
  get finished(): Promise<void> {
    return this.#outcome.promise;
  }

  get ready(): number {
    return this.#stopped ? 0 : this.#items.length - this.#next + this.#returned.items;
  }

  get left(): number {
    return this.ready;
  }

  take(limit: number): Portion {
    const again = this.#returned.take(limit);
    if (again !== null) return again;
    const base = this.#next;
    this.#next = Math.min(this.#items.length, base + limit);
    return { base, items: this.#items.slice(base, this.#next) };
  }

  giveBack(portion: Portion): void {
    this.#returned.add(portion);
  }

  value(index: number, value: unknown): void {
    this.#results[index] = this.#collect
      ? ({ status: "fulfilled", value } satisfies Settled<unknown>)
      : value;
    this.#count();
  }

  error(index: number, reason: unknown): void {
    if (!this.#collect) {
      this.stop(reason);
      return;
    }
    this.#results[index] = { status: "rejected", reason } satisfies Settled<unknown>;
    this.#count();
  }

  /** Gives out nothing more; whoever waits gets this error. */
  stop(reason: unknown): void {
    this.#stopped = true;
    this.#outcome.reject(reason);
  }

  #count(): void {
    if (--this.#missing === 0) this.#outcome.resolve();
  }
}
