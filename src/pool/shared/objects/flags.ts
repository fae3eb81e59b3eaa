import { threadId } from "node:worker_threads";

const SPILLED = 1;
const FORGOTTEN = 2;
const DISPOSED = 4;
const FLAGS = 3;

/** This thread as an owner. */
const HERE = (threadId + 1) << FLAGS;

/**
 * What all threads of a process know of an object, in four bytes of shared memory: which thread owns it, and whether
 * its memory is still wanted. Flags are only ever added, except that a new owner takes back that it was forgotten.
 */
export class ObjectFlags {
  readonly #word: Int32Array<SharedArrayBuffer>;

  /** Of a new object, owned by this thread, or over the memory of one that is there already. */
  constructor(memory?: SharedArrayBuffer) {
    this.#word = new Int32Array(memory ?? new SharedArrayBuffer(4));
    if (memory === undefined) this.#word[0] = HERE;
  }

  get memory(): SharedArrayBuffer {
    return this.#word.buffer;
  }

  /** Whether this thread owns it. */
  get mine(): boolean {
    return ownerOf(this.#now) === HERE;
  }

  /** Whether it must not be got any more. */
  get disposed(): boolean {
    return (this.#now & DISPOSED) !== 0;
  }

  /** Whether its owner's thread has no ref to it any more. */
  get forgotten(): boolean {
    return (this.#now & FORGOTTEN) !== 0;
  }

  /** Whether its owner has given up its memory for a file, at least once. */
  get spilled(): boolean {
    return (this.#now & SPILLED) !== 0;
  }

  markSpilled(): void {
    Atomics.or(this.#word, 0, SPILLED);
  }

  markForgotten(): void {
    Atomics.or(this.#word, 0, FORGOTTEN);
  }

  markDisposed(): void {
    Atomics.or(this.#word, 0, DISPOSED);
  }

  /** Makes this thread the owner. False when it was already, or the object is disposed. */
  takeOver(): boolean {
    for (;;) {
      const now = this.#now;
      if ((now & DISPOSED) !== 0) return false;
      if (ownerOf(now) === HERE && (now & FORGOTTEN) === 0) return false;
      if (Atomics.compareExchange(this.#word, 0, now, HERE | (now & SPILLED)) === now) return true;
    }
  }

  get #now(): number {
    return Atomics.load(this.#word, 0);
  }
}

function ownerOf(word: number): number {
  return word & ~((1 << FLAGS) - 1);
}
