import { pMapIterable, pMapSkip } from "p-map";
import { atMost, RateLimiter } from "../../rate-limit.ts";
import { LONGEST_ASKED_MS, retry, retryDelay } from "../../retry.ts";
import { retryAfterOfError } from "../../retry-after.ts";
import { LONGEST_TIMER_MS, withTimeout } from "../../timers.ts";
import type { ItemResult } from "../calls/item-result.ts";
import { closeSource, iteratorOf } from "../calls/item-source.ts";
import { TimeLimitError } from "../errors.ts";
import { atIndex } from "../transfer/remote-error.ts";
import type { EachSettings, RetrySettings } from "./options.ts";

/** One call of `each` while it runs: what is under way, and how it is stopped. */
class Run<T, R> {
  readonly source: ItemReader<T>;
  readonly #fn: ItemFunction<T, R>;
  readonly #settings: EachSettings;
  readonly #collect: boolean;
  readonly #rate: RateLimiter | null;
  /** Aborts the waits between attempts. */
  readonly #stop = new AbortController();
  readonly #running = new Set<AbortController>();
  #inFlight = 0;
  #idle = (): void => {};
  stopped: { readonly reason: unknown } | null = null;

  constructor(
    items: Iterable<T> | AsyncIterable<T>,
    fn: ItemFunction<T, R>,
    settings: EachSettings,
    collect: boolean,
  ) {
    this.source = new ItemReader(items);
    this.#fn = fn;
    this.#settings = settings;
    this.#collect = collect;
    this.#rate = settings.rate === null ? null : new RateLimiter(atMost(settings.rate));
  }

  /** Never rejects: an error is a result, or it stops the call. */
  async item(item: T, index: number): Promise<ItemResult<R> | typeof pMapSkip> {
    if (this.stopped !== null) return pMapSkip;
    this.#inFlight++;
    try {
      return { index, value: await this.#attempts(item, index) };
    } catch (thrown) {
      // What fails after the stop most often fails because of it.
      if (this.stopped !== null) return pMapSkip;
      const error = atIndex(thrown, index);
      if (this.#collect) return { index, error };
      this.stop(error);
      return pMapSkip;
    } finally {
      if (--this.#inFlight === 0) this.#idle();
    }
  }

  stop(reason: unknown): void {
    if (this.stopped !== null) return;
    this.stopped = { reason };
    this.source.end();
    this.#rate?.end(reason);
    this.#stop.abort(reason);
    for (const controller of this.#running) controller.abort(reason);
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #attempts(item: T, index: number): Promise<R> {
    const { retries } = this.#settings;
    let attempt = 0;
    return retry(() => this.#attempt(item, { index, attempt: ++attempt }), {
      isTransient: () => this.stopped === null,
      waitMs: (error, failures) => itemRetryDelay(error, failures, retries),
      signal: this.#stop.signal,
    });
  }

  /** Calls the function once, and waits no longer than it may take. What does not listen to its signal continues unheard. */
  async #attempt(item: T, which: { readonly index: number; readonly attempt: number }): Promise<R> {
    if (this.#rate !== null) await this.#rate.turn();
    const { timeoutMs = Number.POSITIVE_INFINITY } = this.#settings;
    const controller = new AbortController();
    this.#running.add(controller);
    const late = () => {
      const sentence = `Item ${which.index} took longer than ${timeoutMs} ms.`;
      const error = new TimeLimitError("each.timeout", sentence);
      controller.abort(error);
      throw error;
    };
    try {
      return await withTimeout(
        (async () => await this.#fn(item, { ...which, signal: controller.signal }))(),
        timeoutMs,
        late,
      );
    } finally {
      this.#running.delete(controller);
    }
  }
}

/**
 * Runs the items, at most so many at once, and yields what became of each as it is asked for; no item is taken before
 * there is room for it. After an error that is not to be collected, or when no more results are asked for, nothing new begins
 * and what runs is waited for.
 */
export async function* resultsOf<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: ItemFunction<T, R>,
  settings: EachSettings,
  collect: boolean,
): AsyncGenerator<ItemResult<R>, void, undefined> {
  const { concurrency, signal, ordered } = settings;
  signal?.throwIfAborted();
  const run = new Run(items, fn, settings, collect);
  const abort = () => {
    run.stop(signal?.reason);
    // At once, because the consumer may take long before it asks for another result, or never ask.
    void run.source.close();
  };
  signal?.addEventListener("abort", abort, { once: true });
  const results = pMapIterable(run.source, (item, index) => run.item(item, index), {
    concurrency,
    backpressure: concurrency,
    preserveOrder: ordered,
  });
  try {
    for await (const result of results) {
      if (run.stopped !== null) break;
      yield result;
    }
    if (run.stopped !== null) throw run.stopped.reason;
  } finally {
    signal?.removeEventListener("abort", abort);
    run.stop(new DOMException("the call it belongs to has ended", "AbortError"));
    await run.idle();
    await run.source.close();
  }
}

/** What the function of an `each` may take after its item. */
export interface EachContext {
  /** Which item this is, from 0. */
  readonly index: number;
  /** Which attempt at it, from 1. */
  readonly attempt: number;
  /** Aborts when the call is stopped or the attempt's time is over: give it to `fetch`, or to whatever waits. */
  readonly signal: AbortSignal;
}

export type ItemFunction<T, R> = (item: T, context: EachContext) => R | Promise<R>;

/**
 * The items of a call, taken one at a time and only when asked for. It can be ended while the one who gives them still
 * thinks about the next: who waits for that one hears that there is none.
 */
class ItemReader<T> implements AsyncIterable<T>, AsyncIterator<T> {
  readonly #items: Iterator<T> | AsyncIterator<T>;
  /** Who waits for a next item that has not come yet. */
  #waiting: ((result: IteratorResult<T>) => void) | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;
  #exhausted = false;
  #closed: Promise<void> | null = null;

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    this.#items = iteratorOf(items);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Calls that overlap get their items one after the other, for not every iterator can be asked twice at once. */
  next(): Promise<IteratorResult<T>> {
    const next = this.#turn.then(() => this.#pull());
    this.#turn = next.catch(() => {});
    return next;
  }

  /** Gives nothing more. */
  end(): void {
    this.#ended = true;
    this.#waiting?.({ done: true, value: undefined });
  }

  /** Lets go of what the items come from, once. One that still thinks is told, and not waited for. */
  close(): Promise<void> {
    this.end();
    this.#closed ??= this.#exhausted ? Promise.resolve() : this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#exhausted = true;
    try {
      await closeSource(this.#items, this.#waiting !== null);
    } catch {
      // The results that there are, or the error that ends the call, are what counts.
    }
  }

  async #pull(): Promise<IteratorResult<T>> {
    if (this.#ended || this.#exhausted) return { done: true, value: undefined };
    try {
      const pulled = this.#items.next();
      const result = "then" in pulled ? await this.#orEnd(pulled) : pulled;
      if (result.done && !this.#ended) this.#exhausted = true;
      return result;
    } catch (error) {
      // An iterator that threw is over.
      this.#exhausted = true;
      throw error;
    }
  }

  #orEnd(pulled: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
    this.#waiting = resolve;
    pulled.then(
      (result) => {
        this.#waiting = null;
        resolve(result);
      },
      (error) => {
        this.#waiting = null;
        reject(error);
      },
    );
    return promise;
  }
}

/**
 * Milliseconds until the next attempt; null when there is none, as after a server that wants to be left alone for too long.
 * `failures` counts those of this item.
 */
export function itemRetryDelay(
  error: unknown,
  failures: number,
  { times, baseMs = 500, capMs = 30_000, retryOn }: RetrySettings,
  random: () => number = Math.random,
): number | null {
  if (failures > times || retryOn?.(error) === false) return null;
  if ((retryAfterOfError(error) ?? 0) > LONGEST_ASKED_MS) return null;
  return Math.min(LONGEST_TIMER_MS, retryDelay(error, failures, { baseMs, capMs }, random));
}
