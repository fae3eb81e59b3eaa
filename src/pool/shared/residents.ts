import type { StoredObject } from "./stored-object.ts";

/** The objects whose memory is this thread's to give up, and how much that is. */
export class Residents {
  readonly #bytes = new Map<StoredObject, number>();
  #sum = 0;

  /** The bytes of all. */
  get bytes(): number {
    return this.#sum;
  }

  has(object: StoredObject): boolean {
    return this.#bytes.has(object);
  }

  /** Makes it the one that was used last. */
  use(object: StoredObject): void {
    this.delete(object);
    this.#bytes.set(object, object.bytes);
    this.#sum += object.bytes;
  }

  delete(object: StoredObject): void {
    this.#sum -= this.#bytes.get(object) ?? 0;
    this.#bytes.delete(object);
  }

  /** The least recently used first. The one at hand may be deleted meanwhile. */
  [Symbol.iterator](): Iterator<StoredObject> {
    return this.#bytes.keys();
  }
}
