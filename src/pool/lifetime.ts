import { PawlError } from "../errors.ts";
import { isLoading, unguarded } from "./callable/callable.ts";

type End = (error: unknown) => void;

/** From when a pool opens until it takes no more calls and those under way have ended. */
export class Lifetime {
  /** What ends each of the calls under way. */
  readonly #underWay = new Set<End>();
  /** Ends each wait for the pool to have nothing to do. */
  readonly #waiting = new Set<() => void>();
  #closed = false;
  #terminated: PawlError | null = null;

  /** Throws PawlError("pool.closed"), and what is thrown where a worker is just loading its module. */
  assertOpen(): void {
    if (isLoading()) throw unguarded();
    if (this.#closed) throw new PawlError("pool.closed", "The pool is closed and takes no more calls.");
  }

  /** Throws PawlError("pool.terminated"). */
  assertNotTerminated(): void {
    if (this.#terminated !== null) throw this.#terminated;
  }

  /** A call is under way, until `leave`. `end` is called should the pool be terminated before. */
  enter(end: End): void {
    this.#underWay.add(end);
  }

  leave(end: End): void {
    this.#underWay.delete(end);
    this.changed();
  }

  /** A call or an item has ended: `quiet` checks again. */
  changed(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** No calls may begin any more. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when no call is under way, and nothing that `isBusy` knows of. */
  async quiet(isBusy: () => boolean): Promise<void> {
    while (this.#underWay.size > 0 || isBusy())
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Ends what is under way, with the error. */
  terminate(error: PawlError): void {
    this.#closed = true;
    this.#terminated = error;
    for (const end of this.#underWay) end(error);
  }
}
