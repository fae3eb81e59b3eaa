import { PawlError } from "../../../errors.ts";
import { markAsUncloneable } from "../../../uncloneable.ts";
import { type HandleState, type Isolation, type Shareable, toHandle } from "../../transfer/pack.ts";
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
 */
export class Ref<T> implements Shareable, Disposable {
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

  /** Bytes of the value in memory. */
  get bytes(): number {
    return this.#object.bytes;
  }

  get disposed(): boolean {
    return this.#disposed || this.#object.flags.disposed;
  }

  /** Lets go of the value. Does nothing the second time. */
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
    return this.#objects.handle(Ref.objectOf(this), to);
  }
}

export function disposedError(cause?: unknown): PawlError {
  return new PawlError(
    "pool.ref-disposed",
    "This ref was disposed of, here or where it was made, or the process that made it has ended: put the value again, and dispose of the ref after its last use.",
    { cause },
  );
}
