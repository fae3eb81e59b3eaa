import { type Duration, durationText, optionalMilliseconds } from "../durations.ts";
import { PawlError } from "../errors.ts";
import { after, type Timer, withTimeout } from "../timers.ts";
import { checkOptions, refuse } from "./options.ts";

/** What a pool does for a future. */
export interface FutureOwner {
  /** True when the call was still to be stopped. */
  cancel(index: number, reason: string, kill: boolean): boolean;
}

/** The result of a submitted call, now or later: what `pool.submit` returns. */
export class Future<T> {
  readonly #owner: FutureOwner;
  readonly #index: number;
  readonly #settled = Promise.withResolvers<T>();
  #done = false;

  constructor(owner: FutureOwner, index: number) {
    this.#owner = owner;
    this.#index = index;
    // Who never asks need not hear.
    this.#settled.promise.then(undefined, ignore);
  }

  /** The call has ended, well or not. */
  get done(): boolean {
    return this.#done;
  }

  /**
   * The result. With `timeout` it throws a PawlError `pool.waited` when there is none by then; the
   * call continues. Throws PawlError("argument.duration") for a timeout that is not a duration; Infinity waits.
   */
  async result(options: { readonly timeout?: Duration } = {}): Promise<T> {
    checkOptions(options, "result", ["timeout"]);
    const timeoutMs = optionalMilliseconds(options.timeout, "The option timeout");
    if (timeoutMs === undefined || this.#done) return await this.#settled.promise;
    return await withTimeout(this.#settled.promise, timeoutMs, (): never => {
      throw new PawlError(
        "pool.waited",
        `There was no result within ${durationText(timeoutMs)}; the call continues.`,
      );
    });
  }

  /**
   * Stops the call: one that waits is never begun, one that runs is told by its signal; with `kill` its worker is
   * ended. Returns false when it had ended before.
   */
  cancel(options: { readonly reason?: string; readonly kill?: boolean } = {}): boolean {
    if (this.#done) return false;
    return this.#owner.cancel(this.#index, options.reason ?? "it was cancelled", options.kill ?? false);
  }

  /** Calls back once the call has ended, well or not. */
  whenDone(listener: (failed: boolean) => void): void {
    this.#settled.promise.then(
      () => listener(false),
      () => listener(true),
    );
  }

  /** For the pool. */
  settle(result: { readonly value: T } | { readonly error: unknown }): void {
    this.#done = true;
    if ("error" in result) this.#settled.reject(result.error);
    else this.#settled.resolve(result.value);
  }
}

function ignore(): void {}

/**
 * Yields futures as they end, in that order, well or not.
 *
 * @throws PawlError `pool.option` for anything but futures
 * @example
 * ```ts
 * await using pool = new Pool();
 * const futures = [3, 1, 2].map((n) => pool.submit((x: number) => x * 10, n));
 * for await (const future of asCompleted(futures)) console.log(await future.result());
 * ```
 */
export async function* asCompleted<T>(
  futures: Iterable<Future<T>>,
): AsyncGenerator<Future<T>, void, undefined> {
  const ended: Future<T>[] = [];
  let wake = () => {};
  let left = 0;
  let next = 0;
  for (const future of futuresIn(futures, "asCompleted")) {
    left++;
    future.whenDone(() => {
      ended.push(future);
      wake();
    });
  }
  for (; left > 0; left--) {
    if (next === ended.length) {
      ended.length = 0;
      next = 0;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    yield ended[next++] as Future<T>;
  }
}

/** For how long and for which futures `wait` waits. */
export interface WaitOptions {
  /**
   * How long to wait.
   * @default as long as it takes
   */
  readonly timeout?: Duration;
  /**
   * Until all have ended, the first has, or the first has failed.
   * @default "all"
   */
  readonly until?: "all" | "first" | "firstError";
}

/**
 * Waits for futures, and tells which have ended and which have not. Never throws for a failed one, but
 * PawlError("pool.option") for a timeout that is not a number of milliseconds.
 */
export async function wait<T>(
  futures: Iterable<Future<T>>,
  options: WaitOptions = {},
): Promise<{ readonly done: Future<T>[]; readonly pending: Future<T>[] }> {
  checkOptions(options, "wait", ["timeout", "until"]);
  const { until = "all" } = options;
  if (until !== "all" && until !== "first" && until !== "firstError")
    refuse("until", '"all", "first" or "firstError"', until);
  const timeoutMs = optionalMilliseconds(options.timeout, "The option timeout");
  const all = [...futuresIn(futures, "wait")];
  let timer: Timer | undefined;
  await new Promise<void>((resolve) => {
    let left = all.length;
    if (left === 0) resolve();
    if (timeoutMs !== undefined) timer = after(timeoutMs, resolve);
    for (const future of all) {
      future.whenDone((failed) => {
        left--;
        if (left === 0 || until === "first" || (until === "firstError" && failed)) resolve();
      });
    }
  });
  timer?.cancel();
  return { done: all.filter((future) => future.done), pending: all.filter((future) => !future.done) };
}

function futuresIn<T>(given: Iterable<Future<T>>, what: string): readonly Future<T>[] {
  const futures = Symbol.iterator in Object(given) ? [...given] : null;
  if (futures?.every((each) => each instanceof Future)) return futures;
  throw new PawlError("pool.option", `${what} takes futures to iterate over, such as those of submit.`);
}
