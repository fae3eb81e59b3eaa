/** A queue in which taking the first costs the same however long it is. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    // The methods of users, whose calls these are, may have replaced those of arrays.
    this.#items[this.#items.length] = item;
  }

  /** The first, which stays. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as T;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts items before all others. */
  pushFront(items: readonly T[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes out the first that is meant, wherever it stands. */
  take(isMeant: (item: T) => boolean): T | undefined {
    for (let at = this.#head; at < this.#items.length; at++) {
      if (isMeant(this.#items[at] as T)) return this.#items.splice(at, 1)[0];
    }
    return undefined;
  }

  /** Takes all. */
  drain(): T[] {
    const all = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return all;
  }
}
