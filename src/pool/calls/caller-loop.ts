import { setImmediate as yieldToLoop } from "node:timers/promises";
import { isThenable } from "../../thenable.ts";
import type { AnyFunction } from "../callable/callable.ts";
import type { ItemContext, Settled } from "../options.ts";
import { atIndex } from "../transfer/remote-error.ts";
import type { Cost } from "./cost.ts";
import type { Block, Items } from "./items.ts";
import { isBefore, sharedClock } from "./shared-clock.ts";

/** How long items run here before the loop gets its turn and the decision is made again, in milliseconds. */
const SLICE_MS = 5;

/** So few are over before a thread that writes down the time has woken up. */
const MANY = 1_000;

/** After so many items the system is asked for the time, whatever a thread has written down. */
const UNASKED = 1_024;

/** Items that take less are too short for asking the system for the time after each, in milliseconds. */
const SHORT_MS = 0.01;

/** A first item that takes longer says enough about the others. */
const SLOW_MS = 50;

export interface InlineRun {
  readonly fn: AnyFunction;
  readonly spread: boolean;
  readonly items: Items;
  readonly results: unknown[];
  readonly collect: boolean;
  readonly cost: Cost;
  readonly signal: AbortSignal;
  /** Whether the items from `at` on should go to workers. Asked after each slice. */
  leave(at: number): boolean;
}

/**
 * Runs items in this thread, measuring them, until all are done or they had better go to workers. Returns the index of the first
 * that has not run. After each item it looks at the time: however cheap the items before were, one that is dear is the
 * last of its slice, after which the loop has its turn and the signal is heard.
 */
export async function runInline(run: InlineRun): Promise<number> {
  const { items, cost, signal } = run;
  const call = callOf(run);
  const plain = !run.spread && !run.collect && run.fn.length <= 1;
  using clock = plain && items.length >= MANY ? sharedClock.use() : null;
  let itemMs = cost.itemMs ?? 0;
  let at = 0;
  while (at < items.length) {
    signal.throwIfAborted();
    const first = at;
    const began = performance.now();
    const until = Math.ceil(began + SLICE_MS);
    let now = began;
    // The first item may pay for what happens once, such as compiling.
    const end = first === 0 ? 1 : items.length;
    while (at < end && now < until && !signal.aborted) {
      if (plain) {
        const unasked = clock !== null && itemMs < SHORT_MS && sharedClock.isRight(now) ? UNASKED : 1;
        const block = items.blockOf(at);
        const last = Math.min(end, at + unasked, block.base + block.items.length);
        try {
          // With `call`, V8 does not know which function it is, and so leaves it on its own.
          at = runPlain.call(undefined, run, block, at, last, until);
        } catch (error) {
          throw atIndex(error, firstWithout(run.results, at));
        }
        if (at < last && isPending(run.results, at)) {
          run.results[at] = await resolved(run.results, at);
          at++;
        }
      } else {
        const pending = call(at);
        if (pending !== undefined) await pending;
        at++;
      }
      now = performance.now();
    }
    const ms = now - began;
    if (clock === null) sharedClock.asked(at - first);
    // One that is this slow will do as a measure.
    const measured = first > 0 || ms >= SLOW_MS || items.length === 1;
    if (measured) {
      cost.observe(at - first, ms);
      itemMs = ms / (at - first);
    }
    if (ms < SLICE_MS) continue;
    if (measured && at < items.length && run.leave(at)) return at;
    await yieldToLoop();
  }
  return at;
}

/**
 * The loop that a pool must not be slower than: stops when the shared clock says that its time is over, and at the first
 * item whose result has to be waited for.
 *
 * V8 makes the function part of this loop, and would keep its variables in memory and not in registers if there were
 * an exception handler around: the sum of 1,000 bytes then takes 1.8 times as long. So nothing is caught in here, and
 * who calls does it in a way that does not make this loop a part of the caller. `for … of` has a handler, too.
 */
function runPlain(
  { fn, results }: InlineRun,
  { base, items }: Block,
  from: number,
  end: number,
  until: number,
): number {
  const call = fn as unknown as (item: unknown) => unknown;
  const { cells } = sharedClock;
  for (let at = from; at < end; at++) {
    const value = call(items[at - base]);
    results[at] = value;
    if (typeof value === "object" && isThenable(value)) return at;
    if (!isBefore(cells, until)) return at + 1;
  }
  return end;
}

/** Whether this item has run and its result is still to be waited for; results are written in order. */
function isPending(results: readonly unknown[], at: number): boolean {
  return at in results;
}

/** The first item from `from` on that has no result: results are written in order, into an array of holes. */
function firstWithout(results: readonly unknown[], from: number): number {
  let at = from;
  while (at in results) at++;
  return at;
}

async function resolved(results: readonly unknown[], at: number): Promise<unknown> {
  try {
    return await results[at];
  } catch (error) {
    throw atIndex(error, at);
  }
}

/** Runs one item and keeps its result; a promise only where the function gave one. */
function callOf({
  fn,
  spread,
  items,
  results,
  collect,
  signal,
}: InlineRun): (at: number) => Promise<void> | undefined {
  const plain = fn as (...args: unknown[]) => unknown;
  const keep = (at: number, value: unknown): void => {
    results[at] = collect ? ({ status: "fulfilled", value } satisfies Settled<unknown>) : value;
  };
  const fail = (at: number, error: unknown): void => {
    const reason = atIndex(error, at);
    if (!collect) throw reason;
    results[at] = { status: "rejected", reason } satisfies Settled<unknown>;
  };
  return (at) => {
    try {
      const args = spread ? (items.at(at) as readonly unknown[]) : null;
      const given = args?.length ?? 1;
      const context: ItemContext | null =
        plain.length > given ? { index: at, signal, init: undefined } : null;
      const value =
        args === null
          ? context === null
            ? plain(items.at(at))
            : plain(items.at(at), context)
          : context === null
            ? plain(...args)
            : plain(...args, context);
      if (typeof value === "object" && value !== null && "then" in value) {
        return Promise.resolve(value as PromiseLike<unknown>).then(
          (kept) => keep(at, kept),
          (error) => fail(at, error),
        );
      }
      keep(at, value);
    } catch (error) {
      fail(at, error);
    }
    return undefined;
  };
}
