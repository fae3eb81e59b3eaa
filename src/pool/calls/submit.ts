import { type Future, type FutureOwner, PoolFuture } from "../future.ts";
import { type Call, ItemQueue, WorkQueue } from "./work-queue.ts";

/** How the worker pool stops a call that is under way. */
export interface Stopper {
  /** Tells a call by its signal to stop; false when it has not begun, which it then does nowhere by itself. */
  abort(work: WorkQueue, index: number, reason: string): boolean;
  /** The same, but ends its worker. */
  kill(work: WorkQueue, index: number, error: Error): boolean;
}

/** Calls of one function that were submitted one by one. */
export class SubmittedWork extends WorkQueue implements FutureOwner {
  readonly #stopper: Stopper;
  readonly #futures = new Map<number, PoolFuture<unknown>>();

  constructor(call: Call, stopper: Stopper) {
    super(call, new ItemQueue());
    this.#stopper = stopper;
  }

  /** Adds a call with these arguments. */
  submit(args: readonly unknown[]): Future<unknown> {
    const index = this.add(args);
    const future = new PoolFuture<unknown>(this, index);
    this.#futures.set(index, future);
    return future;
  }

  value(index: number, value: unknown): void {
    this.#settle(index, { value });
  }

  error(index: number, error: unknown): void {
    this.#settle(index, { error });
  }

  cancel(index: number, reason: string, kill: boolean): boolean {
    if (!this.#futures.has(index)) return false;
    const error = new DOMException(reason, "AbortError");
    if (kill && this.#stopper.kill(this, index, error)) return true;
    if (this.#stopper.abort(this, index, reason)) return true;
    // It has not begun, and is not given out any more.
    this.withdraw(index);
    this.#settle(index, { error });
    return true;
  }

  /** Those that come later are tried again. */
  fail(error: unknown): void {
    this.clear();
    for (const index of [...this.#futures.keys()]) this.#settle(index, { error });
  }

  #settle(index: number, result: { readonly value: unknown } | { readonly error: unknown }): void {
    const future = this.#futures.get(index);
    this.#futures.delete(index);
    future?.settle(result);
  }
}
