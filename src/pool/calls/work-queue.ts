import type { FunctionReference } from "../callable/reference.ts";
import type { LimitMs } from "../options.ts";
import type { Cost } from "./cost.ts";

/** A function as the pool calls it, with what holds for each of its items. */
export interface Call {
  /** Under this number workers keep the function. */
  readonly number: number;
  readonly reference: FunctionReference;
  /** For people. */
  readonly name: string;
  /** The elements of an item are the arguments of the function. */
  readonly spread: boolean;
  readonly limit: LimitMs | null;
  /** How often an item is given to another worker after it has killed one. */
  readonly crashRetries: number;
  /** Items in a chunk; null to go by what they cost. */
  readonly chunkSize: number | null;
  /** What is known of the function, from all its calls in this pool. */
  readonly cost: Cost;
}

/** Consecutive items of a call. */
export interface ItemRange {
  /** The index of the first in its call. */
  readonly base: number;
  readonly items: readonly unknown[];
}

/**
 * Elements of a block. V8 makes arrays of this size in memory that it has at hand. A much larger one gets pages of its own,
 * which the system has to clear first: that takes five times as long as the copy itself.
 */
const BLOCK = 8192;

/** Items that wait in order. Taking them costs the same however many there are, and what was taken is not kept. */
export class ItemQueue {
  readonly #blocks: unknown[][] = [];
  /** How many of the first block are gone. */
  #gone = 0;
  #length = 0;
  readonly #isCopy: boolean;

  /** With `isCopy`, the caller holds the same items in an array, so that they need not be let go of one by one. */
  constructor(isCopy = false) {
    this.#isCopy = isCopy;
  }

  /** The items of an array as they are now: what becomes of the array later changes nothing. */
  static of(array: readonly unknown[]): ItemQueue {
    const queue = new ItemQueue(true);
    queue.#length = array.length;
    for (let base = 0; base < array.length; base += BLOCK)
      queue.#blocks.push(array.slice(base, base + BLOCK));
    return queue;
  }

  get length(): number {
    return this.#length;
  }

  /** How many at most can be taken without a copy. */
  get lengthOfBlock(): number {
    return (this.#blocks[0]?.length ?? 0) - this.#gone;
  }

  add(item: unknown): void {
    this.#length++;
    const last = this.#blocks.at(-1);
    if (last === undefined || last.length >= BLOCK) this.#blocks.push([item]);
    else last.push(item);
  }

  /** The first of them, which stay: at least one if there are any. */
  peek(limit: number): readonly unknown[] {
    return this.#blocks[0]?.slice(this.#gone, this.#gone + limit) ?? [];
  }

  take(limit: number): readonly unknown[] {
    const parts: (readonly unknown[])[] = [];
    for (let left = Math.min(limit, this.#length); left > 0; ) {
      const part = this.#takeFromBlock(left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] as readonly unknown[]) : parts.flat();
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#gone = 0;
    this.#length = 0;
  }

  #takeFromBlock(limit: number): readonly unknown[] {
    const block = this.#blocks[0] as unknown[];
    const from = this.#gone;
    const end = Math.min(block.length, from + limit);
    const items = from === 0 && end === block.length ? block : block.slice(from, end);
    this.#length -= items.length;
    this.#gone = end;
    if (end === block.length) {
      this.#blocks.shift();
      this.#gone = 0;
    } else if (!this.#isCopy) block.fill(undefined, from, end);
    return items;
  }
}

/** Items for one function, given out in ranges, and where their results go. */
export abstract class WorkQueue {
  readonly call: Call;
  /** Workers that died over it, one after the other, before they began any item. */
  startFailures = 0;
  readonly #queue: ItemQueue;
  /** The index of the first item in the queue. */
  #next: number;
  /** Ranges that came back, in front of what was never taken. */
  readonly #requeued: ItemRange[] = [];
  #requeuedItems = 0;
  /** Indexes in the queue that are not to be given out. */
  #withdrawn: Set<number> | null = null;
  #ended = false;
  /** How often an item has killed its worker, by its index. */
  #crashes: Map<number, number> | null = null;

  /** `from` is the index of the first item of the queue. */
  constructor(call: Call, queue: ItemQueue, from = 0) {
    this.call = call;
    this.#queue = queue;
    this.#next = from;
  }

  abstract value(index: number, value: unknown): void;
  abstract error(index: number, error: unknown): void;
  /** None of its items can be run: the whole call fails. */
  abstract fail(error: unknown): void;

  /** Items that could be taken now. */
  get ready(): number {
    return this.#ended ? 0 : this.#requeuedItems + this.#queue.length - (this.#withdrawn?.size ?? 0);
  }

  /** Items still to be taken, Infinity when that is not known. */
  get left(): number {
    return this.ready;
  }

  /** Nothing is given out any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The index after the last item there is so far. */
  get length(): number {
    return this.#next + this.#queue.length;
  }

  /** Returns the index of the item. */
  add(item: unknown): number {
    this.#queue.add(item);
    return this.length - 1;
  }

  /** Takes up to `limit` consecutive items; only called while some are ready. */
  take(limit: number): ItemRange {
    const requeued = this.#requeued.shift();
    if (requeued !== undefined) {
      const [range, rest] = cut(requeued, limit);
      this.#requeuedItems -= range.items.length;
      if (rest.items.length > 0) this.#requeued.unshift(rest);
      return range;
    }
    const base = this.#next;
    let count = Math.min(limit, this.#queue.length);
    if (this.#withdrawn !== null) {
      for (let at = 1; at < count; at++) if (this.#withdrawn.has(base + at)) count = at;
    }
    const items = this.#queue.take(count);
    this.#next += items.length;
    this.#skipWithdrawn();
    return { base, items };
  }

  /** The same, but no more than can be taken without a copy. */
  takeBlock(limit: number): ItemRange {
    return this.take(this.#requeued.length > 0 ? limit : Math.min(limit, this.#queue.lengthOfBlock));
  }

  /** The next ones, which stay where they are. */
  peek(limit: number): ItemRange {
    const [requeued] = this.#requeued;
    if (requeued !== undefined) return cut(requeued, limit)[0];
    return { base: this.#next, items: this.#queue.peek(limit) };
  }

  /** Items that were taken but not run. */
  giveBack(range: ItemRange): void {
    if (this.#ended || range.items.length === 0) return;
    this.#requeued.push(range);
    this.#requeued.sort((a, b) => a.base - b.base);
    this.#requeuedItems += range.items.length;
  }

  /** An item has killed its worker. True when it is to be given to another one, as often as `crashRetries` says. */
  retriesAfterCrash(index: number): boolean {
    const { crashRetries } = this.call;
    if (crashRetries === 0) return false;
    this.#crashes ??= new Map();
    const crashes = (this.#crashes.get(index) ?? 0) + 1;
    this.#crashes.set(index, crashes);
    return crashes <= crashRetries;
  }

  /** Takes out one item that waits. */
  protected withdraw(index: number): void {
    const at = this.#requeued.findIndex(({ base, items }) => index >= base && index < base + items.length);
    const found = this.#requeued[at];
    if (found === undefined) {
      this.#withdrawn ??= new Set();
      if (index >= this.#next) this.#withdrawn.add(index);
      this.#skipWithdrawn();
      return;
    }
    const [before, from] = cut(found, index - found.base);
    const [, after] = cut(from, 1);
    this.#requeued.splice(at, 1, ...[before, after].filter(({ items }) => items.length > 0));
    this.#requeuedItems--;
  }

  /** Takes out all that wait. */
  protected clear(): void {
    this.#next = this.length;
    this.#queue.clear();
    this.#requeued.length = 0;
    this.#requeuedItems = 0;
    this.#withdrawn = null;
  }

  /** Gives out nothing more, whatever comes back. */
  protected end(): void {
    this.#ended = true;
    this.clear();
  }

  #skipWithdrawn(): void {
    while (this.#withdrawn?.delete(this.#next)) {
      this.#queue.take(1);
      this.#next++;
    }
    if (this.#withdrawn?.size === 0) this.#withdrawn = null;
  }
}

/** The first items of a range, and the rest. */
function cut({ base, items }: ItemRange, count: number): [first: ItemRange, rest: ItemRange] {
  if (count >= items.length)
    return [
      { base, items },
      { base: base + items.length, items: [] },
    ];
  return [
    { base, items: items.slice(0, count) },
    { base: base + count, items: items.slice(count) },
  ];
}
