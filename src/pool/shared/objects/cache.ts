import { noteMemory } from "../memory.ts";
import { removeFiles, type StoredObject } from "./stored-object.ts";

/** The objects whose memory is this thread's to give up, and how much that is. */
export class LruCache {
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

/** How often to look whether an object is still wanted where it was made, in milliseconds. */
const POLL_MS = 1000;

/**
 * The objects of other threads and processes that were used here. They are kept, so that the next call with the same
 * ref finds its value made, until their owner lets go of them.
 */
export class ReceivedObjects {
  readonly #kept = new Set<StoredObject>();
  readonly #cache: LruCache;
  #added = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(cache: LruCache) {
    this.#cache = cache;
  }

  keep(object: StoredObject): void {
    if (this.#kept.has(object)) return;
    this.#kept.add(object);
    // Each object then pays for the check of only a few others.
    if (++this.#added * 2 > this.#kept.size) this.letGo();
    this.#timer ??= setInterval(() => this.letGo(), POLL_MS).unref();
  }

  delete(object: StoredObject): void {
    this.#kept.delete(object);
    this.#cache.delete(object);
  }

  /** Lets go of those that are not wanted any more. What this thread has a ref to stays, unless it is disposed. */
  letGo(): void {
    this.#added = 0;
    for (const object of this.#kept) {
      if (object.gone) object.leaveMemory();
      else if (this.#isUnwanted(object)) noteMemory(object.block?.byteLength ?? 0);
      else continue;
      this.delete(object);
      removeFiles(object.files);
    }
    if (this.#kept.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** A copy of a spilled object that this thread has read stays until its memory is needed. */
  #isUnwanted(object: StoredObject): boolean {
    const { forgotten, spilled } = object.flags;
    return forgotten || (spilled && !this.#cache.has(object) && object.files.size === 0);
  }
}
