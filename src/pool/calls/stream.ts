import type { AnyFunction } from "../callable/callable.ts";
import { collects, type MapOptions, type Settled } from "../options.ts";
import { runInlineStream } from "./caller-stream.ts";
import { batchSize } from "./cost.ts";
import type { Means } from "./map.ts";
import { Choice } from "./placement.ts";
import { closeSource, iteratorOf, type Source } from "./source.ts";
import { never, Stop } from "./stop.ts";
import { type Call, type Portion, Returned, type Work } from "./work.ts";

export interface MapStream {
  readonly fn: AnyFunction;
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions & { readonly errors?: "throw" | "collect" };
  readonly face: "imap" | "imapUnordered";
}

/** Runs items as results are asked for, here as long as they had better stay and then in workers, a few batches ahead. */
export async function* streamMap(
  means: Means,
  { fn, items, options, face }: MapStream,
): AsyncGenerator<unknown, void, undefined> {
  const { crew, ledger, lifetime, workers } = means;
  lifetime.assertOpen();
  const { call } = ledger.knownAs(fn, face, options);
  const account = ledger.account(fn);
  const signal = options.signal ?? never;
  const collect = collects(options.errors);
  const source = iteratorOf(items);
  let ended = false;
  let failed = false;
  let work: Streamed | null = null;
  let intake: Intake | null = null;
  const stop = new Stop();
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= intake !== null ? intake.end() : closeSource(source, stop.isStopped);
    return closed;
  };
  // The source is closed at once: who takes the results may be long with the one it has, or never ask for another.
  const closeEarly = () => {
    if (!ended) close().catch(() => {});
  };
  const abort = () => {
    stop.now(signal.reason);
    work?.end();
    closeEarly();
  };
  signal.addEventListener("abort", abort, { once: true });
  const end = (error: unknown) => {
    stop.now(error);
    work?.wake();
    closeEarly();
  };
  lifetime.enter(end);
  try {
    let from = 0;
    const choice = new Choice({ ...means, call, account });
    if (choice.mayStay) {
      const length = Array.isArray(items) ? items.length : Number.POSITIVE_INFINITY;
      const leave = (at: number, item: unknown, result: unknown) => {
        lifetime.assertGoesOn();
        return choice.leave(length - at, { items: [item], results: [result] });
      };
      const left = yield* runInlineStream({
        fn,
        source,
        cost: call.cost,
        signal,
        collect,
        stop,
        account,
        leave,
      });
      if (left === null) {
        ended = true;
        return;
      }
      from = left;
    }
    const streamed = new Streamed(call, from);
    work = streamed;
    crew.add(streamed);
    const hasRoom = () =>
      streamed.under < workers * 2 * batchSize(call.cost, call.chunkSize, Number.POSITIVE_INFINITY, workers);
    const add = (item: unknown) => {
      streamed.add(item);
      account.parallel++;
    };
    const came = () => {
      crew.schedule();
      streamed.wake();
    };
    intake = new Intake(source, hasRoom, add, came);
    for (;;) {
      signal.throwIfAborted();
      lifetime.assertGoesOn();
      intake.fill();
      crew.schedule();
      const outcome = streamed.next(face === "imap");
      if (outcome !== null) {
        if (collect && !outcome.ends) yield settled(outcome);
        else if ("error" in outcome) throw outcome.error;
        else yield outcome.value;
      } else if (streamed.under > 0 || intake.pending) await streamed.came();
      else if (intake.failure !== null) throw intake.failure.error;
      else if (intake.ended) return;
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    if (work !== null) {
      work.end();
      crew.drop(work, "nobody waits for it any more");
    }
    lifetime.leave(end);
    // What the source throws as it closes is told where nothing else is.
    if (!ended) await (failed ? close().catch(() => {}) : close());
  }
}

function settled(outcome: Outcome): Settled<unknown> {
  return "error" in outcome
    ? { status: "rejected", reason: outcome.error }
    : { status: "fulfilled", value: outcome.value };
}

/** A result of `imap` that waits to be asked for. */
export type Outcome =
  | { readonly index: number; readonly value: unknown; readonly ends?: never }
  /** With `ends`, the error is not that of an item but of the whole call. */
  | { readonly index: number; readonly error: unknown; readonly ends?: true };

/** Items that come one by one and results that leave one by one, with a bounded number between. */
class Streamed implements Work {
  readonly call: Call;
  barren = 0;
  readonly #returned = new Returned();
  readonly #outcomes = new Map<number, Outcome>();
  #waiting: unknown[] = [];
  #base: number;
  #given: number;
  #ended = false;
  /** Has whoever waits for a result look again. */
  wake = (): void => {};

  /** `from` is the index of the first item that will come. */
  constructor(call: Call, from: number) {
    this.call = call;
    this.#base = from;
    this.#given = from;
  }

  /** Items that came and whose results have not left. */
  get under(): number {
    return this.#base + this.#waiting.length - this.#given;
  }

  get ready(): number {
    return this.#ended ? 0 : this.#waiting.length + this.#returned.items;
  }

  get left(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(item: unknown): void {
    this.#waiting.push(item);
  }

  take(limit: number): Portion {
    const again = this.#returned.take(limit);
    if (again !== null) return again;
    const base = this.#base;
    const items = this.#waiting.splice(0, limit);
    this.#base += items.length;
    return { base, items };
  }

  giveBack(portion: Portion): void {
    this.#returned.add(portion);
  }

  value(index: number, value: unknown): void {
    this.#outcomes.set(index, { index, value });
    this.wake();
  }

  error(index: number, error: unknown): void {
    this.#outcomes.set(index, { index, error });
    this.wake();
  }

  /** The next result, in order or whichever there is; null when there is none yet. */
  next(inOrder: boolean): Outcome | null {
    const index = inOrder ? this.#given : this.#outcomes.keys().next().value;
    const outcome = index === undefined ? undefined : this.#outcomes.get(index);
    if (outcome === undefined) return null;
    this.#outcomes.delete(outcome.index);
    this.#given++;
    return outcome;
  }

  /** Resolves when a result has come. */
  async came(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }

  /** Whoever asks next gets this error. */
  fail(error: unknown): void {
    this.#outcomes.set(this.#given, { index: this.#given, error, ends: true });
    this.wake();
  }

  end(): void {
    this.#ended = true;
    this.#waiting = [];
    this.#returned.clear();
    this.wake();
  }
}

/** Takes items from a source as long as there is room, and does not wait for the one that is slow to come. */
class Intake {
  /** The source has no more, or has thrown. */
  ended = false;
  /** What it threw. */
  failure: { readonly error: unknown } | null = null;
  /** An item was asked for and has not come. */
  pending = false;
  readonly #source: Source;
  readonly #hasRoom: () => boolean;
  readonly #add: (item: unknown) => void;
  readonly #came: () => void;

  /** `came` is called after items were added later than asked for. */
  constructor(source: Source, hasRoom: () => boolean, add: (item: unknown) => void, came: () => void) {
    this.#source = source;
    this.#hasRoom = hasRoom;
    this.#add = add;
    this.#came = came;
  }

  /** Takes what is at hand; the rest comes by itself. */
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
