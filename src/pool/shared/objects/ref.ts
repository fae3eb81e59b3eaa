import { PawlError } from "../../../errors.ts";
import { markAsUncloneable } from "../../../uncloneable.ts";
import type { Isolation } from "../../transfer/cloneable.ts";
import { type HandleState, type Shareable, toHandle } from "../../transfer/pack.ts";
import type { StoredObject } from "./stored-object.ts";

/** What a ref needs of the objects it is one of. */
export interface Objects {
  handle(object: StoredObject, to: Isolation): HandleState;
  dispose(object: StoredObject): void;
}

declare const kindOfValue: unique symbol;

/**
 * Stands for a value that was put into shared memory. It costs next to nothing to send to a worker, where `get` gives
 * the value. Dispose of it where it was made, and it can be got nowhere any more; elsewhere, only that ref is over.
 *
 * @example
 * ```ts
 * await using pool = new Pool();
 * using list = put({ prices: new Float64Array([2, 3]) });
 * const rows = [0, 1];
 * const prices = await pool.starmap(async (ref: typeof list, row: number) => {
 *   const { get } = await import("pawl/pool");
 *   return get(ref).prices[row];
 * }, rows.map((row) => [list, row] as const));
 * console.log(prices); // [ 2, 3 ]
 * ```
 */
export interface Ref<T> extends Disposable {
  /** For the compiler alone: what `get` gives. */
  readonly [kindOfValue]: T;
  /** Bytes of the value in memory. */
  readonly bytes: number;
  /** Whether the value can no longer be got by this ref. */
  readonly disposed: boolean;
  /** Lets go of the value. Does nothing the second time. */
  dispose(): void;
}

/** A ref to an object of this thread or of another one. */
export class ObjectRef<T> implements Ref<T>, Shareable {
  declare readonly [kindOfValue]: T;
  readonly #objects: Objects;
  readonly #object: StoredObject;
  #disposed = false;

  constructor(objects: Objects, object: StoredObject) {
    this.#objects = objects;
    this.#object = object;
    markAsUncloneable(this);
  }

  /** Throws PawlError("pool.not-a-ref"), PawlError("pool.ref-disposed"). */
  static objectOf(ref: unknown): StoredObject {
    if (typeof ref !== "object" || ref === null || !(#object in ref)) {
      throw new PawlError(
        "pool.not-a-ref",
        "get takes a ref, which put returns; a ref reaches a worker as an argument of a function of a pool.",
      );
    }
    if (ref.disposed) throw disposedError();
    return ref.#object;
  }

  get bytes(): number {
    return this.#object.bytes;
  }

  get disposed(): boolean {
    return this.#disposed || this.#object.flags.disposed;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#objects.dispose(this.#object);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Throws PawlError("pool.ref-disposed"); on the way to a process, TransientError where the disk is full. */
  [toHandle](to: Isolation): HandleState {
    return this.#objects.handle(ObjectRef.objectOf(this), to);
  }
}

export function disposedError(cause?: unknown): PawlError {
  return new PawlError(
    "pool.ref-disposed",
    "This ref was disposed of, here or where it was made, or the process that made it has ended: put the value again, and dispose of the ref after its last use.",
    { cause },
  );
}
