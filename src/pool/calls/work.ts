import type { FunctionReference } from "../callable/reference.ts";
import { Cost } from "./cost.ts";

/** Consecutive items of a call. */
export interface Portion {
  /** The index of the first in its call. */
  readonly base: number;
  readonly items: readonly unknown[];
}

/** Items for one function, given out in portions, and where their results go. */
export interface Work {
  readonly call: Call;
  /** Items that could be taken now. */
  readonly ready: number;
  /** Items still to be taken, Infinity when that is not known. */
  readonly left: number;
  /** Workers that died over it, one after the other, before they began any item. */
  barren: number;
  /** Takes up to `limit` consecutive items; only called while some are ready. */
  take(limit: number): Portion;
  /** Items that were taken but not run. */
  giveBack(portion: Portion): void;
  value(index: number, value: unknown): void;
  error(index: number, error: unknown): void;
  /** None of its items can be run: the whole call fails. */
  fail(error: unknown): void;
}

/** Portions that came back, in front of what was never taken. */
export class Returned {
  readonly #portions: Portion[] = [];

  get items(): number {
    let sum = 0;
    for (const portion of this.#portions) sum += portion.items.length;
    return sum;
  }

  add(portion: Portion): void {
    if (portion.items.length === 0) return;
    this.#portions.push(portion);
    this.#portions.sort((a, b) => a.base - b.base);
  }

  take(limit: number): Portion | null {
    const first = this.#portions.shift();
    if (first === undefined) return null;
    if (first.items.length <= limit) return first;
    this.#portions.unshift({ base: first.base + limit, items: first.items.slice(limit) });
    return { base: first.base, items: first.items.slice(0, limit) };
  }

  /** Takes out one item, if it is here. */
  remove(index: number): boolean {
    const at = this.#portions.findIndex(({ base, items }) => index >= base && index < base + items.length);
    const found = this.#portions[at];
    if (found === undefined) return false;
    const { base, items } = found;
    const rest = [
      { base, items: items.slice(0, index - base) },
      { base: index + 1, items: items.slice(index - base + 1) },
    ];
    this.#portions.splice(at, 1, ...rest.filter((each) => each.items.length > 0));
    return true;
  }

  clear(): void {
    this.#portions.length = 0;
  }
}

/** How long an item may run. */
export interface TimeLimit {
  /** Milliseconds of execution after which the item's signal aborts; it may then end by itself. */
  readonly soft?: number;
  /** Milliseconds of execution after which its worker is ended and replaced. */
  readonly hard: number;
}

/** A function as the pool calls it, with what holds for each of its items. */
export interface Call {
  /** Under this number workers keep the function. */
  readonly number: number;
  readonly reference: FunctionReference;
  /** For people. */
  readonly name: string;
  readonly spread: boolean;
  readonly limit: TimeLimit | null;
  /** How often an item is given to another worker after it has killed one. */
  readonly crashRetries: number;
  /** Items a batch; null to go by what they cost. */
  readonly chunkSize: number | null;
  /** What is known of the function, from all its calls in this pool. */
  readonly cost: Cost;
}

export { Cost };
