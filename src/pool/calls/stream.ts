import type { AnyFunction } from "../callable/callable.ts";
import { collects, type MapOptions } from "../options.ts";
import { streamInCaller } from "./caller-loop.ts";
import { chunkSizeFor } from "./cost.ts";
import { type ItemResult, settledOf } from "./item-result.ts";
import { closeSource, type ItemSource, iteratorOf, never, StoppableWait } from "./item-source.ts";
import type { PoolContext } from "./map.ts";
import { Placement } from "./placement.ts";
import { type Call, ItemQueue, WorkQueue } from "./work-queue.ts";

export interface StreamCall {
  readonly fn: AnyFunction;
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions & { readonly errors?: "throw" | "collect" };
  readonly method: "imap" | "imapUnordered";
}

/** Runs items as results are asked for, in the caller's thread as long as that pays and then in workers, a few chunks ahead. */
export async function* streamMap(
  { workerPool, functions, lifetime, mayRunInCaller }: PoolContext,
  { fn, items, options, method }: StreamCall,
): AsyncGenerator<unknown, void, undefined> {
  lifetime.assertOpen();
  const { call, account } = functions.find(fn, method, options);
  const signal = options.signal ?? never;
  const collect = collects(options.errors);
  const source = iteratorOf(items);
  let ended = false;
  let failed = false;
  let work: StreamWork | null = null;
  let reader: BoundedReader | null = null;
  const wait = new StoppableWait();
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= reader !== null ? reader.end() : closeSource(source, wait.isStopped);
    return closed;
  };
  const end = (error: unknown) => {
    wait.stop(error);
    work?.wake();
    // The source is closed at once, because the consumer may take long before it asks for another result, or never ask.
    if (!ended) close().catch(() => {});
  };
  const abort = () => {
    work?.end();
    end(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  lifetime.enter(end);
  try {
    let from = 0;
    const placement = new Placement(call, account, workerPool, mayRunInCaller);
    if (placement.mayStay) {
      const length = Array.isArray(items) ? items.length : Number.POSITIVE_INFINITY;
      const leaves = (at: number, item: unknown, result: unknown) => {
        lifetime.assertNotTerminated();
        return placement.leaves(length - at, { items: [item], results: [result] });
      };
      const { cost } = call;
      const next = yield* streamInCaller({ fn, source, cost, signal, collect, wait, account, leaves });
      if (next === null) {
        ended = true;
        return;
      }
      from = next;
    }
    const stream = new StreamWork(call, from);
    work = stream;
    workerPool.add(stream);
    const { maxWorkers } = workerPool;
    const hasRoom = () =>
      stream.inFlight <
      maxWorkers * 2 * chunkSizeFor(call.cost, call.chunkSize, Number.POSITIVE_INFINITY, maxWorkers);
    const add = (item: unknown) => {
      stream.add(item);
      account.parallel++;
    };
    const came = () => {
      workerPool.schedule();
      stream.wake();
    };
    reader = new BoundedReader(source, hasRoom, add, came);
    for (;;) {
      signal.throwIfAborted();
      lifetime.assertNotTerminated();
      reader.fill();
      workerPool.schedule();
      const result = stream.next(method === "imap");
      if (result !== null) {
        if (collect && !result.ends) yield settledOf(result);
        else if ("error" in result) throw result.error;
        else yield result.value;
      } else if (stream.inFlight > 0 || reader.pending) await stream.came();
      else if (reader.failure !== null) throw reader.failure.error;
      else if (reader.ended) return;
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    if (work !== null) {
      work.end();
      workerPool.drop(work, "the call it belongs to has ended");
    }
    lifetime.leave(end);
    // An error of the source as it closes is thrown where there is no other error.
    if (!ended) await (failed ? close().catch(() => {}) : close());
  }
}

/** With `ends`, the error is that of the whole call and not of an item. */
type StreamResult = ItemResult<unknown> & { readonly ends?: true };

/** Items that come one by one and results that leave one by one, with a bounded number in between. */
class StreamWork extends WorkQueue {
  readonly #results = new Map<number, StreamResult>();
  /** The index of the next result in order: how many have been given to the consumer, with the items before the first. */
  #given: number;
  /** Wakes the consumer, which checks again for a result. */
  wake = (): void => {};

  /** `from` is the index of the first item that will come. */
  constructor(call: Call, from: number) {
    super(call, new ItemQueue(), from);
    this.#given = from;
  }

  /** Items that were taken from the source and whose results the consumer has not had. */
  get inFlight(): number {
    return this.length - this.#given;
  }

  override get left(): number {
    return Number.POSITIVE_INFINITY;
  }

  value(index: number, value: unknown): void {
    this.#results.set(index, { index, value });
    this.wake();
  }

  error(index: number, error: unknown): void {
    this.#results.set(index, { index, error });
    this.wake();
  }

  /** The next result, in order or whichever there is; null when there is none yet. */
  next(inOrder: boolean): StreamResult | null {
    const index = inOrder ? this.#given : this.#results.keys().next().value;
    const result = index === undefined ? undefined : this.#results.get(index);
    if (result === undefined) return null;
    this.#results.delete(result.index);
    this.#given++;
    return result;
  }

  /** Resolves when a result has come. */
  async came(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }

  /** Who asks for the next result gets this error. */
  fail(error: unknown): void {
    this.#results.set(this.#given, { index: this.#given, error, ends: true });
    this.wake();
  }

  override end(): void {
    super.end();
    this.wake();
  }
}

/** Takes items from a source as long as there is room, and does not wait for the one that is slow to come. */
class BoundedReader {
  /** The source has no more, or has thrown. */
  ended = false;
  /** What it threw. */
  failure: { readonly error: unknown } | null = null;
  /** An item was asked for and has not come. */
  pending = false;
  readonly #source: ItemSource;
  readonly #hasRoom: () => boolean;
  readonly #add: (item: unknown) => void;
  readonly #came: () => void;

  /** `came` is called after items were added later than asked for. */
  constructor(source: ItemSource, hasRoom: () => boolean, add: (item: unknown) => void, came: () => void) {
    this.#source = source;
    this.#hasRoom = hasRoom;
    this.#add = add;
    this.#came = came;
  }

  /** Takes items as far as there is room. Where the source gives a promise, the others are taken when that has settled. */
  fill(): void {
    while (!this.pending && !this.ended && this.#hasRoom()) {
      try {
        const pulled = this.#source.next();
        if ("then" in pulled) void this.#wait(pulled);
        else this.#accept(pulled);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  /** Tells the source that no more is wanted. One that is slow to answer is not waited for. Throws what it throws. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await closeSource(this.#source, this.pending);
  }

  async #wait(pulled: Promise<IteratorResult<unknown>>): Promise<void> {
    this.pending = true;
    try {
      const next = await pulled;
      this.pending = false;
      if (this.ended) return;
      this.#accept(next);
      this.fill();
    } catch (error) {
      this.pending = false;
      this.#fail(error);
    }
    this.#came();
  }

  #accept(next: IteratorResult<unknown>): void {
    if (next.done) this.ended = true;
    else this.#add(next.value);
  }

  #fail(error: unknown): void {
    this.ended = true;
    this.failure = { error };
  }
}
