import { Future, type FutureOwner } from "../future.ts";
import { type Call, type Portion, Returned, type Work } from "./work.ts";

/** What the pool does with calls that are under way. */
export interface Reach {
  /** Tells a call by its signal to stop; false when it has not begun, which it then does nowhere by itself. */
  abort(work: Work, index: number, reason: string): boolean;
  /** The same, but ends its worker. */
  kill(work: Work, index: number, error: Error): boolean;
}

/** Calls of one function that were submitted one by one, in line. */
export class Submitted implements Work, FutureOwner {
  readonly call: Call;
  barren = 0;
  readonly #reach: Reach;
  readonly #returned = new Returned();
  readonly #futures = new Map<number, Future<unknown>>();
  /** What waits, from `#head` on: to move a million of them forward at each batch would take longer than the calls. */
  #waiting: unknown[] = [];
  #head = 0;
  /** The index of the first that waits. */
  #base = 0;
  #cancelled = new Set<number>();

  constructor(call: Call, reach: Reach) {
    this.call = call;
    this.#reach = reach;
  }

  add(args: readonly unknown[]): Future<unknown> {
    const index = this.#base + this.#length;
    this.#waiting.push(args);
    const future = new Future<unknown>(this, index);
    this.#futures.set(index, future);
    return future;
  }

  get ready(): number {
    return this.#returned.items + this.#length;
  }

  get left(): number {
    return this.ready;
  }

  take(limit: number): Portion {
    const again = this.#returned.take(limit);
    if (again !== null) return again;
    // Calls that were cancelled while they waited are not given out; portions are of consecutive ones.
    while (this.#cancelled.size > 0 && this.#cancelled.delete(this.#base)) this.#shift(1);
    let length = Math.min(limit, this.#length);
    for (let at = 1; at < length && this.#cancelled.size > 0; at++) {
      if (this.#cancelled.has(this.#base + at)) length = at;
    }
    return { base: this.#base, items: this.#shift(length) };
  }

  get #length(): number {
    return this.#waiting.length - this.#head;
  }

  #shift(count: number): unknown[] {
    if (this.#head === 0 && count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      this.#base += count;
      return all;
    }
    const items = this.#waiting.slice(this.#head, this.#head + count);
    // What was given out is not kept.
    this.#waiting.fill(undefined, this.#head, this.#head + count);
    this.#head += count;
    this.#base += count;
    if (this.#head > this.#waiting.length / 2) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return items;
  }

  giveBack(portion: Portion): void {
    this.#returned.add(portion);
  }

  value(index: number, value: unknown): void {
    this.#settle(index, { value });
  }

  error(index: number, error: unknown): void {
    this.#settle(index, { error });
  }

  cancel(index: number, reason: string, kill: boolean): boolean {
    const future = this.#futures.get(index);
    if (future === undefined) return false;
    const error = new DOMException(reason, "AbortError");
    if (kill && this.#reach.kill(this, index, error)) return true;
    if (this.#reach.abort(this, index, reason)) return true;
    // It has not begun, and is not given out any more.
    if (!this.#returned.remove(index)) this.#cancelled.add(index);
    this.#settle(index, { error });
    return true;
  }

  fail(error: unknown): void {
    this.#base += this.#length;
    this.#waiting = [];
    this.#head = 0;
    this.#returned.clear();
    for (const index of [...this.#futures.keys()]) this.#settle(index, { error });
  }

  #settle(index: number, outcome: { readonly value: unknown } | { readonly error: unknown }): void {
    const future = this.#futures.get(index);
    this.#futures.delete(index);
    future?.settle(outcome);
  }
}
