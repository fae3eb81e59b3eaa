import { after } from "../../timers.ts";
import { TimeLimitError } from "../worker/time-limit.ts";

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

/** Calls the function once, and waits no longer than it may take. What does not listen to its signal goes on unheard. */
export async function attemptOnce<T, R>(
  fn: ItemFunction<T, R>,
  item: T,
  { index, attempt }: { readonly index: number; readonly attempt: number },
  controller: AbortController,
  timeout: number | undefined,
): Promise<R> {
  const context = { index, attempt, signal: controller.signal };
  if (timeout === undefined) return await fn(item, context);
  const over = Promise.withResolvers<never>();
  const timer = after(timeout, () => {
    const sentence = `Item ${index} took longer than ${timeout} ms.`;
    const error = new TimeLimitError("each.timeout", sentence);
    over.reject(error);
    controller.abort(error);
  });
  try {
    return await Promise.race([fn(item, context), over.promise]);
  } finally {
    timer.cancel();
  }
}
