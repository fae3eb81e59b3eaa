/**
 * Elements of a block. V8 makes arrays of this size in memory that it has at hand. A much larger one gets pages of its own,
 * which the system has to clear first: that takes five times as long as the copy itself.
 */
const BLOCK = 8192;

/** Consecutive items, and the index of the first. */
export interface Block {
  readonly base: number;
  readonly items: readonly unknown[];
}

/** The items of a map, as they were when they were taken: what becomes of an array later changes nothing of that. */
export class Items {
  #length = 0;
  readonly #blocks: { readonly base: number; readonly items: unknown[] }[] = [];

  static of(array: readonly unknown[]): Items {
    const items = new Items();
    items.#length = array.length;
    for (let base = 0; base < array.length; base += BLOCK)
      items.#blocks.push({ base, items: array.slice(base, base + BLOCK) });
    return items;
  }

  get length(): number {
    return this.#length;
  }

  add(item: unknown): void {
    const at = this.#length++;
    if (at % BLOCK === 0) this.#blocks.push({ base: at, items: [item] });
    else this.#blocks.at(-1)?.items.push(item);
  }

  /** The block that holds the item with this index. */
  blockOf(index: number): Block {
    return this.#blocks[Math.floor(index / BLOCK)] as Block;
  }

  at(index: number): unknown {
    const { base, items } = this.blockOf(index);
    return items[index - base];
  }

  /** Those from one index up to another, as `slice` of an array gives them. */
  slice(from: number, to: number): unknown[] {
    const end = Math.min(to, this.#length);
    const taken: unknown[] = [];
    for (let at = from; at < end; ) {
      const { base, items } = this.blockOf(at);
      const part = items.slice(at - base, end - base);
      if (part.length === end - from) return part;
      for (const item of part) taken.push(item);
      at += part.length;
    }
    return taken;
  }
}
