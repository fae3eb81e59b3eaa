import { setImmediate as yieldToLoop } from "node:timers/promises";
import { isThenable } from "../../thenable.ts";
import type { AnyFunction } from "../callable/callable.ts";
import type { ItemContext } from "../options.ts";
import { atIndex } from "../transfer/remote-error.ts";
import { blocks } from "./cost.ts";
import type { Work } from "./work.ts";

/** How long items run here before workers that have done their batch get the next, in milliseconds. */
const SLICE_MS = 1;
/** After so many milliseconds the rest of a slice is given back: it was expected to be over long ago. */
const OVER_MS = 5;

export interface Alongside {
  readonly fn: AnyFunction;
  readonly work: Work;
  readonly signal: AbortSignal;
  /** Whether all workers are at it. */
  enough(): boolean;
}

/**
 * Runs items of a map in this thread until all its workers are at it: a loop would have gone on while they started.
 * Errors are the items'; nothing is thrown.
 */
export async function runAlongside({ fn, work, signal, enough }: Alongside): Promise<void> {
  const { cost, spread } = work.call;
  const plain = fn as (...args: unknown[]) => unknown;
  for (;;) {
    await yieldToLoop();
    const { itemMs } = cost;
    if (signal.aborted || work.ready === 0 || enough() || itemMs === null || blocks(cost)) return;
    const { base, items } = work.take(Math.max(1, Math.floor(SLICE_MS / itemMs)));
    const began = performance.now();
    let done = 0;
    for (const item of items) {
      if (signal.aborted || (done > 0 && performance.now() - began >= OVER_MS)) break;
      const index = base + done++;
      const args = spread ? (item as readonly unknown[]) : [item];
      const context: ItemContext = { index, signal, init: undefined };
      try {
        const value = plain.length > args.length ? plain(...args, context) : plain(...args);
        work.value(index, isThenable(value) ? await value : value);
      } catch (error) {
        work.error(index, atIndex(error, index));
      }
    }
    cost.observe(done, performance.now() - began);
    if (done < items.length) work.giveBack({ base: base + done, items: items.slice(done) });
  }
}
