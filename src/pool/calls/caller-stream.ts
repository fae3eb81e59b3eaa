import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { AnyFunction } from "../callable/callable.ts";
import type { ItemContext, Settled } from "../options.ts";
import { atIndex } from "../transfer/remote-error.ts";
import type { Cost } from "./cost.ts";
import type { Stop } from "./stop.ts";

/** How long items run here before the loop gets its turn and the decision is made anew, in milliseconds. */
const SLICE_MS = 5;
/** So much is measured before it is added to what is known. */
const LOOK_MS = 0.5;
/** A first item that takes longer says enough about the others. */
const SLOW_MS = 50;

export interface InlineStream {
  readonly fn: AnyFunction;
  readonly source: AsyncIterator<unknown> | Iterator<unknown>;
  readonly cost: Cost;
  readonly signal: AbortSignal;
  /** Errors are results. */
  readonly collect: boolean;
  /** Stops waiting for the source or for the function. */
  readonly stop: Stop;
  /** Counts what ran. */
  readonly account: { inline: number };
  /** Whether the items from `at` on should go to workers, judged by the last item and its result. */
  leave(at: number, item: unknown, result: unknown): boolean;
}

/**
 * Runs items in this thread as they are asked for, measuring them, until there are no more or they had better go to
 * workers. Returns the index of the first that has not run, or null at the end of the source.
 */
export async function* runInlineStream(run: InlineStream): AsyncGenerator<unknown, number | null, undefined> {
  const { source, cost, signal } = run;
  const fn = run.fn as (...args: unknown[]) => unknown;
  const wantsContext = fn.length > 1;
  let measured = 0;
  let spent = 0;
  let slice = 0;
  for (let at = 0; ; at++) {
    signal.throwIfAborted();
    // A source that was closed meanwhile would look like one that has no more.
    run.stop.throwIfStopped();
    const pulled = source.next();
    const next = pulled instanceof Promise ? await run.stop.or(pulled) : pulled;
    if (next.done) {
      cost.observe(measured, spent);
      return null;
    }
    const item = next.value;
    const began = performance.now();
    let result: unknown;
    try {
      const context: ItemContext = { index: at, signal, init: undefined };
      const returned = wantsContext ? fn(item, context) : fn(item);
      const isPromise = typeof returned === "object" && returned !== null && "then" in returned;
      result = isPromise ? await run.stop.or(returned as PromiseLike<unknown>) : returned;
      if (run.collect) result = { status: "fulfilled", value: result } satisfies Settled<unknown>;
    } catch (error) {
      const reason = atIndex(error, at);
      if (!run.collect || run.stop.isStopped) throw reason;
      result = { status: "rejected", reason } satisfies Settled<unknown>;
    }
    const ms = performance.now() - began;
    run.account.inline++;
    slice += ms;
    // The first item may pay for what happens once, such as compiling; one that is this slow will do as a measure.
    if (at > 0 || ms >= SLOW_MS) {
      measured++;
      spent += ms;
    }
    if (spent >= LOOK_MS) {
      cost.observe(measured, spent);
      measured = 0;
      spent = 0;
    }
    const sliceIsOver = slice >= SLICE_MS;
    const leaves = sliceIsOver && cost.items > 0 && run.leave(at + 1, item, result);
    yield result;
    if (leaves) return at + 1;
    if (sliceIsOver) {
      await yieldToLoop();
      slice = 0;
    }
  }
}
