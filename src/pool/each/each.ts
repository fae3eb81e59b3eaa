import { PawlError } from "../../errors.ts";
import { type ItemResult, type Settled, settledOf } from "../calls/item-result.ts";
import { collects } from "../options.ts";
import { type EachOptions, eachSettings } from "./options.ts";
import { type ItemFunction, resultsOf } from "./run.ts";

/** Results that have not begun to be made: await them for all in an array, or iterate over them one by one. */
export interface Each<R> extends Promise<R[]>, AsyncIterable<R> {}

/**
 * Calls `fn` with each item on this event loop, some at once: for work that waits rather than computes. The items may
 * be endless; no more of them are taken than run.
 *
 * Nothing begins before it is awaited or iterated over, and it runs once. The first error stops it: nothing new
 * begins, what runs is told by its signal and waited for, then it is thrown, with the item's index as its `index`.
 *
 * @throws PawlError `pool.option` and `argument.duration` for an option that cannot be, `each.items`, `each.function`; the
 * promise rejects with what `fn` throws, with TimeLimitError `each.timeout`, and with PawlError `each.used` the second time
 * @example
 * ```ts
 * const lengths = await each(["a", "bb", "ccc"], async (text) => text.length, { concurrency: 2, retries: 3 });
 * console.log(lengths); // [ 1, 2, 3 ]
 * for await (const length of each(["a", "bb"], async (text) => text.length)) console.log(length); // 1, then 2
 * ```
 */
export function each<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: ItemFunction<T, R>,
  options?: EachOptions & { readonly errors?: "throw" },
): Each<R>;
/** The same, but each result says whether it is one: `{ status, value }`, or `{ status, reason }` for an error. */
export function each<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: ItemFunction<T, R>,
  options: EachOptions & { readonly errors: "collect" },
): Each<Settled<R>>;
export function each<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: ItemFunction<T, R>,
  options: EachOptions & { readonly errors?: "throw" | "collect" } = {},
): Each<R> | Each<Settled<R>> {
  const settings = eachSettings(options);
  if (!isIterable(items)) {
    throw new PawlError("each.items", "each() needs items to iterate over as its first argument.");
  }
  if (typeof fn !== "function") {
    throw new PawlError("each.function", "each() needs a function of an item as its second argument.");
  }
  if (collects(options.errors)) {
    return new Results(
      (ordered) => resultsOf(items, fn, { ...settings, ordered }, true),
      settings.ordered,
      settledOf,
    );
  }
  return new Results(
    (ordered) => resultsOf(items, fn, { ...settings, ordered }, false),
    settings.ordered,
    unwrap,
  );
}

type Start<R> = (ordered: boolean) => AsyncGenerator<ItemResult<R>, void, undefined>;

class Results<R, S> implements Each<S> {
  readonly [Symbol.toStringTag] = "Each";
  readonly #start: Start<R>;
  readonly #ordered: boolean;
  readonly #resultOf: (result: ItemResult<R>) => S;
  #all: Promise<S[]> | null = null;
  #iterated = false;

  constructor(start: Start<R>, ordered: boolean, resultOf: (result: ItemResult<R>) => S) {
    this.#start = start;
    this.#ordered = ordered;
    this.#resultOf = resultOf;
  }

  // biome-ignore lint/suspicious/noThenProperty: this is a promise, which begins when its results are asked for.
  then<A = S[], B = never>(
    fulfilled?: ((results: S[]) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#gathered().then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<S[] | B> {
    return this.#gathered().catch(rejected);
  }

  finally(ended?: (() => void) | null): Promise<S[]> {
    return this.#gathered().finally(ended);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<S, void, undefined> {
    if (this.#all !== null || this.#iterated) throw used();
    this.#iterated = true;
    for await (const result of this.#start(this.#ordered)) yield this.#resultOf(result);
  }

  #gathered(): Promise<S[]> {
    if (this.#iterated) return Promise.reject(used());
    this.#all ??= this.#gather();
    return this.#all;
  }

  async #gather(): Promise<S[]> {
    const results: S[] = [];
    // As they come: no item waits for a slow one before it.
    for await (const result of this.#start(false)) results[result.index] = this.#resultOf(result);
    return results;
  }
}

function unwrap<R>(result: ItemResult<R>): R {
  if ("error" in result) throw result.error;
  return result.value;
}

function isIterable(items: unknown): boolean {
  if (typeof items === "string") return true;
  return (
    typeof items === "object" && items !== null && (Symbol.iterator in items || Symbol.asyncIterator in items)
  );
}

function used(): PawlError {
  return new PawlError(
    "each.used",
    "The results of an each() were asked for twice: they are awaited or iterated over, once; call each() again for another run.",
  );
}
