import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { AnyFunction } from "../callable/callable.ts";
import type { Lifetime } from "../lifetime.ts";
import { collects, type MapOptions, type Settled } from "../options.ts";
import type { Crew } from "../worker/worker-pool.ts";
import { runInline } from "./caller-loop.ts";
import type { Ledger } from "./function-registry.ts";
import { runAlongside } from "./help.ts";
import { Items } from "./items.ts";
import { Choice } from "./placement.ts";
import { closeSource, iteratorOf, type Source } from "./source.ts";
import { never, Stop } from "./stop.ts";
import { type Call, type Portion, Returned, type Work } from "./work.ts";

/** What the calls of a pool are made with. */
export interface Means {
  readonly crew: Crew;
  readonly ledger: Ledger;
  readonly lifetime: Lifetime;
  /** Workers at most. */
  readonly workers: number;
  /** Items may run in this thread. */
  readonly mayInline: boolean;
}

export interface MapRun {
  readonly fn: AnyFunction;
  readonly given: Iterable<unknown> | AsyncIterable<unknown>;
  readonly options: MapOptions & { readonly errors?: "throw" | "collect" };
  readonly face: "map" | "starmap";
}

/** Items looked at to learn what sending them costs. */
const SAMPLE = 8;

/** Runs all items, here as long as they had better stay and then in workers, and resolves with the results in order. */
export async function runMap(means: Means, { fn, given, options, face }: MapRun): Promise<unknown[]> {
  const { crew, ledger, lifetime } = means;
  lifetime.assertOpen();
  const { call } = ledger.knownAs(fn, face, options);
  const collect = collects(options.errors);
  const signal = options.signal ?? never;
  signal.throwIfAborted();
  const stop = new Stop();
  const abort = () => stop.now(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const end = (error: unknown) => stop.now(error);
  lifetime.enter(end);
  try {
    const items = Array.isArray(given) ? Items.of(given) : await gather(given, stop);
    const results: unknown[] = new Array(items.length);
    const account = ledger.account(fn);
    const choice = new Choice({ ...means, call, account });
    const { spread, cost } = call;
    const leave = (at: number) => {
      lifetime.assertGoesOn();
      return choice.leave(items.length - at, {
        items: items.slice(at, at + SAMPLE),
        results: results.slice(Math.max(0, at - SAMPLE), at),
      });
    };
    const runHere = async () => {
      if (!choice.mayStay || (cost.items > 0 && leave(0))) return 0;
      const ran = await runInline({ fn, spread, items, results, collect, cost, signal, leave });
      account.inline += ran;
      return ran;
    };
    const from = await stop.or(runHere());
    if (from === items.length) return results;
    account.parallel += items.length - from;
    const work = new Mapped(call, items, results, from, collect);
    const enough = () => crew.isAtWork(work);
    const help = choice.mayStay ? () => runAlongside({ fn, work, signal, enough }) : null;
    await runToEnd(crew, work, help, stop.or(work.finished));
    return results;
  } finally {
    signal.removeEventListener("abort", abort);
    lifetime.leave(end);
  }
}

async function runToEnd(
  crew: Crew,
  work: Mapped,
  help: (() => Promise<void>) | null,
  finished: Promise<void>,
): Promise<void> {
  crew.add(work);
  if (help === null) crew.schedule();
  else void crew.scheduleWith(help);
  try {
    await finished;
  } catch (error) {
    work.fail(error);
    throw error;
  } finally {
    crew.drop(work, "the call it belongs to has ended");
  }
}

/** How long items are read at a stretch from a source that never waits, in milliseconds. */
const SLICE_MS = 5;

/** All items, unless it is stopped before; then the source is closed. */
async function gather(given: Iterable<unknown> | AsyncIterable<unknown>, stop: Stop): Promise<Items> {
  const source = iteratorOf(given);
  const items = new Items();
  let began = performance.now();
  for (;;) {
    const pulled = source.next();
    const next = "then" in pulled ? await stop.or(pulled, () => abandon(source)) : pulled;
    if (next.done) return items;
    items.add(next.value);
    if (performance.now() - began < SLICE_MS) continue;
    await stop.or(yieldToLoop(), () => abandon(source));
    began = performance.now();
  }
}

/** Whoever waited has heard why; what the source throws as it closes is not told beside that. */
function abandon(source: Source): void {
  closeSource(source, true).catch(() => {});
}

/** A list of items, or what is asked in the same way. */
type Sliceable = Pick<readonly unknown[], "length" | "slice">;

/** All items of a map that go to workers, and the results in their order. */
export class Mapped implements Work {
  readonly call: Call;
  barren = 0;
  readonly #items: Sliceable;
  readonly #results: unknown[];
  readonly #collect: boolean;
  readonly #outcome = Promise.withResolvers<void>();
  readonly #returned = new Returned();
  #next: number;
  #missing: number;
  #stopped = false;

  /** The items before `from` have their results already. */
  constructor(call: Call, items: Sliceable, results: unknown[], from: number, collect: boolean) {
    this.call = call;
    this.#items = items;
    this.#results = results;
    this.#next = from;
    this.#missing = items.length - from;
    this.#collect = collect;
    this.#outcome.promise.catch(() => {});
    if (this.#missing === 0) this.#outcome.resolve();
  }

  /** Resolves when each item has its result; rejects with the first error, unless errors are collected. */
  get finished(): Promise<void> {
    return this.#outcome.promise;
  }

  get ready(): number {
    return this.#stopped ? 0 : this.#items.length - this.#next + this.#returned.items;
  }

  get left(): number {
    return this.ready;
  }

  take(limit: number): Portion {
    const again = this.#returned.take(limit);
    if (again !== null) return again;
    const base = this.#next;
    this.#next = Math.min(this.#items.length, base + limit);
    return { base, items: this.#items.slice(base, this.#next) };
  }

  giveBack(portion: Portion): void {
    this.#returned.add(portion);
  }

  value(index: number, value: unknown): void {
    this.#results[index] = this.#collect
      ? ({ status: "fulfilled", value } satisfies Settled<unknown>)
      : value;
    this.#count();
  }

  error(index: number, reason: unknown): void {
    if (!this.#collect) {
      this.fail(reason);
      return;
    }
    this.#results[index] = { status: "rejected", reason } satisfies Settled<unknown>;
    this.#count();
  }

  /** Gives out nothing more; whoever waits gets this error. */
  fail(reason: unknown): void {
    this.#stopped = true;
    this.#outcome.reject(reason);
  }

  #count(): void {
    if (--this.#missing === 0) this.#outcome.resolve();
  }
}
