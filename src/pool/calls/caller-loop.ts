import { setImmediate as yieldToLoop } from "node:timers/promises";
import { isThenable } from "../../thenable.ts";
import type { AnyFunction } from "../callable/callable.ts";
import type { ItemContext } from "../options.ts";
import { atIndex } from "../transfer/remote-error.ts";
import { blocks, type Cost } from "./cost.ts";
import type { Settled } from "./item-result.ts";
import type { ItemSource, StoppableWait } from "./item-source.ts";
import { isBefore, sharedClock } from "./shared-clock.ts";
import type { ItemRange, WorkQueue } from "./work-queue.ts";

/** How long items run in the caller's thread before its event loop gets a turn, in milliseconds. */
export const SLICE_MS = 5;

/** How long they should run beside workers, before workers that have done their chunk get the next, in milliseconds. */
const SLICE_BESIDE_MS = 1;

/** So few are over before a thread that writes down the time has woken up. */
const MANY = 1_000;

/** After so many items it is checked that a thread which writes down the time keeps up. */
const UNASKED = 1_024;

/** Items that take less are too short for asking the system for the time after each, in milliseconds. */
const SHORT_MS = 0.01;

/** A first item that takes longer says enough about the others. */
const SLOW_MS = 50;

/** So much is measured of a stream before it is added to what is known, in milliseconds. */
const MEASURED_MS = 0.5;

/** A work whose results the caller's thread writes where they belong. */
export interface CallerWork extends WorkQueue {
  /** By index, with a hole for each item that has none. */
  readonly results: unknown[];
  /** Errors are results. */
  readonly collect: boolean;
  /** So many more items have their results in `results`. */
  count(items: number): void;
}

interface CallerRun {
  readonly fn: AnyFunction;
  readonly work: CallerWork;
  readonly signal: AbortSignal;
}

/**
 * Runs items of a map in the caller's thread, measuring them, until there are none or `leaves`, asked after each slice of
 * time, says that the others should go to workers. Errors are the items'; nothing is thrown. Where no item has to be waited
 * for and the time of one slice is enough, all have run when this returns its promise.
 */
export async function runInCaller(run: CallerRun & { leaves(): boolean }): Promise<void> {
  const { work, leaves } = run;
  const { cost } = work.call;
  using clock = isPlain(run) && work.ready >= MANY ? sharedClock.use() : null;
  let isFirst = true;
  let isOver = cost.items > 0;
  while (work.ready > 0) {
    if (isOver && leaves()) return;
    const slice = new Slice(run, isFirst ? 1 : Number.POSITIVE_INFINITY, clock !== null);
    const pending = slice.run();
    if (pending !== null) await slice.continueAfter(pending);
    const { items, ms } = slice;
    if (clock === null) sharedClock.asked(items);
    // The first item may pay for what happens once, such as compiling: it is a measure only where it is slow or the last.
    const isMeasure = !isFirst || ms >= SLOW_MS || work.ready === 0;
    if (isMeasure) cost.observe(items, ms);
    isFirst = false;
    isOver = isMeasure && ms >= SLICE_MS;
    if (ms >= SLICE_MS) await yieldToLoop();
  }
}

/**
 * Runs items of a map in the caller's thread until all its workers are at work, which `enough` tells: a loop would not
 * have waited for them to start.
 */
export async function runBesideWorkers(run: CallerRun & { enough(): boolean }): Promise<void> {
  const { work, enough } = run;
  const { cost } = work.call;
  for (;;) {
    await yieldToLoop();
    const { itemMs } = cost;
    if (work.ready === 0 || enough() || itemMs === null || blocks(cost)) return;
    const slice = new Slice(run, Math.max(1, Math.floor(SLICE_BESIDE_MS / itemMs)), false);
    const pending = slice.run();
    if (pending !== null) await slice.continueAfter(pending);
    cost.observe(slice.items, slice.ms);
  }
}

/** Whether a call of the function takes the item alone, and its result is kept as it is. */
function isPlain({ fn, work }: CallerRun): boolean {
  return !work.call.spread && !work.collect && fn.length <= 1;
}

const NOTHING: ItemRange = { base: 0, items: [] };

/**
 * Some items, for so long as the event loop can wait. After each item it looks at the time: however cheap the items before
 * were, one that is dear is the last. What is left of the items goes back.
 */
class Slice {
  /** Items that have run. */
  items = 0;
  readonly #run: CallerRun;
  readonly #limit: number;
  readonly #isShort: boolean;
  /** Null where the function is called by `runPlain`. */
  readonly #callItem: ((item: unknown, index: number) => unknown) | null;
  readonly #pending: Pending = { result: null };
  readonly #began = performance.now();
  #now = this.#began;
  #range = NOTHING;
  /** The index of the item whose turn it is. */
  #at = 0;

  /** Of at most `limit` items. With `isClocked` a thread writes down the time. */
  constructor(run: CallerRun, limit: number, isClocked: boolean) {
    const { fn, work, signal } = run;
    const { spread, cost } = work.call;
    this.#run = run;
    this.#limit = limit;
    this.#isShort = isClocked && (cost.itemMs ?? 0) < SHORT_MS;
    this.#callItem = isPlain(run) ? null : callerOf(fn, spread, signal);
  }

  /** Milliseconds that they took. */
  get ms(): number {
    return this.#now - this.#began;
  }

  /** Runs items until the slice is over, or until one gives a promise, which is returned. */
  run(): PromiseLike<unknown> | null {
    const { fn, work } = this.#run;
    const callItem = this.#callItem;
    const until = Math.ceil(this.#began + SLICE_MS);
    for (;;) {
      const { base, items } = this.#range;
      const end = base + items.length;
      while (this.#at < end && this.#now < until && !work.ended) {
        const at = this.#at;
        try {
          if (callItem === null) {
            const last = Math.min(end, at + (this.#isShort && sharedClock.isRight(this.#now) ? UNASKED : 1));
            const pending = this.#pending;
            // With `call`, V8 does not know which function it is, and so leaves it on its own.
            this.#at = runPlain.call(undefined, fn, work.results, this.#range, at, last, until, pending);
            if (pending.result !== null) return pending.result;
          } else {
            const value = callItem(items[at - base], at);
            if (isThenable(value)) return value;
            work.value(at, value);
            this.#at++;
          }
        } catch (error) {
          this.#at = firstWithout(work.results, at);
          this.#error(error);
        }
        this.#now = performance.now();
      }
      this.#leaveRange(end);
      if (this.items >= this.#limit || this.#now >= until || work.ready === 0) return null;
      this.#range = work.takeBlock(this.#limit - this.items);
      this.#at = this.#range.base;
    }
  }

  /** Waits for what an item gave, and runs the rest. */
  async continueAfter(pending: PromiseLike<unknown>): Promise<void> {
    const { work } = this.#run;
    for (let awaited: PromiseLike<unknown> | null = pending; awaited !== null; awaited = this.run()) {
      this.#pending.result = null;
      try {
        const value = await awaited;
        if (this.#callItem === null) work.results[this.#at] = value;
        else work.value(this.#at, value);
        this.#at++;
      } catch (error) {
        this.#error(error);
      }
      this.#now = performance.now();
    }
  }

  #error(error: unknown): void {
    this.#run.work.error(this.#at, atIndex(error, this.#at));
    this.#at++;
  }

  #leaveRange(end: number): void {
    const { work } = this.#run;
    const { base, items } = this.#range;
    const done = this.#at - base;
    this.items += done;
    if (this.#callItem === null && done > 0) work.count(done);
    if (this.#at < end) work.giveBack({ base: this.#at, items: items.slice(done) });
    this.#range = NOTHING;
    this.#at = 0;
  }
}

/** What an item gave that has to be waited for. */
interface Pending {
  result: PromiseLike<unknown> | null;
}

/**
 * The loop that a pool must not be slower than: stops when its time is over, by the shared clock or by the system's, and at
 * the first item whose result has to be waited for. Returns the index of the first item that has no result yet.
 *
 * V8 makes the function part of this loop, and would keep its variables in memory and not in registers if there were
 * an exception handler around: the sum of 1,000 bytes then takes 1.8 times as long. So nothing is caught in here, and
 * who calls does it in a way that does not make this loop a part of the caller. `for … of` has a handler, too.
 */
function runPlain(
  fn: AnyFunction,
  results: unknown[],
  { base, items }: ItemRange,
  from: number,
  end: number,
  until: number,
  pending: Pending,
): number {
  const call = fn as unknown as (item: unknown) => unknown;
  const { cells } = sharedClock;
  for (let at = from; at < end; at++) {
    const value = call(items[at - base]);
    if (typeof value === "object" && isThenable(value)) {
      pending.result = value;
      return at;
    }
    results[at] = value;
    if (!isBefore(cells, until)) return at + 1;
  }
  return end;
}

/** The first item from `from` on that has no result: results are written in order, into an array of holes. */
function firstWithout(results: readonly unknown[], from: number): number {
  let at = from;
  while (at in results) at++;
  return at;
}

/** How an item is given to the function: as its argument, or its elements as the arguments, with a context where there is room. */
function callerOf(
  fn: AnyFunction,
  spread: boolean,
  signal: AbortSignal,
): (item: unknown, index: number) => unknown {
  const plain = fn as (...args: unknown[]) => unknown;
  const contextAt = (index: number): ItemContext => ({ index, signal, init: undefined });
  if (!spread)
    return plain.length > 1 ? (item, index) => plain(item, contextAt(index)) : (item) => plain(item);
  return (item, index) => {
    const args = item as readonly unknown[];
    return plain.length > args.length ? plain(...args, contextAt(index)) : plain(...args);
  };
}

export interface CallerStream {
  readonly fn: AnyFunction;
  readonly source: ItemSource;
  readonly cost: Cost;
  readonly signal: AbortSignal;
  /** Errors are results. */
  readonly collect: boolean;
  /** Stops waiting for the source or for the function. */
  readonly wait: StoppableWait;
  /** Counts what ran. */
  readonly account: { inline: number };
  /** Whether the items from `at` on should go to workers, judged by the last item and its result. */
  leaves(at: number, item: unknown, result: unknown): boolean;
}

/**
 * Runs items in the caller's thread as they are asked for, measuring them, until there are no more or they should go to
 * workers. Returns the index of the first that has not run, or null at the end of the source.
 */
export async function* streamInCaller(run: CallerStream): AsyncGenerator<unknown, number | null, undefined> {
  const { source, cost, signal, wait, collect } = run;
  const callItem = callerOf(run.fn, false, signal);
  let measured = 0;
  let spent = 0;
  let slice = 0;
  for (let at = 0; ; at++) {
    signal.throwIfAborted();
    // A source that was closed meanwhile would look like one that has no more.
    wait.throwIfStopped();
    const pulled = source.next();
    const next = pulled instanceof Promise ? await wait.until(pulled) : pulled;
    if (next.done) {
      cost.observe(measured, spent);
      return null;
    }
    const item = next.value;
    const began = performance.now();
    let result: unknown;
    try {
      const returned = callItem(item, at);
      result = isThenable(returned) ? await wait.until(returned) : returned;
      if (collect) result = { status: "fulfilled", value: result } satisfies Settled<unknown>;
    } catch (error) {
      const reason = atIndex(error, at);
      if (!collect || wait.isStopped) throw reason;
      result = { status: "rejected", reason } satisfies Settled<unknown>;
    }
    const ms = performance.now() - began;
    run.account.inline++;
    slice += ms;
    if (at > 0 || ms >= SLOW_MS) {
      measured++;
      spent += ms;
    }
    if (spent >= MEASURED_MS) {
      cost.observe(measured, spent);
      measured = 0;
      spent = 0;
    }
    const isOver = slice >= SLICE_MS;
    const leaves = isOver && cost.items > 0 && run.leaves(at + 1, item, result);
    yield result;
    if (leaves) return at + 1;
    if (isOver) {
      await yieldToLoop();
      slice = 0;
    }
  }
}
