import { type Duration, durationText, optionalMilliseconds } from "../durations.ts";
import { PawlError } from "../errors.ts";
import { after, type Timer, withTimeout } from "../timers.ts";
import { checkOptions, refuse } from "./options.ts";

/** What a pool does for a future. */
export interface FutureOwner {
  /** True when the call was still to be stopped. */
  cancel(index: number, reason: string, kill: boolean): boolean;
}

/**
 * The result of a submitted call, now or later: what `pool.submit` returns.
 *
 * @example
 * ```ts
 * await using pool = new Pool();
 * const future = pool.submit((n: number) => n * 2, 21);
 * console.log(await future.result({ timeout: "10s" })); // 42
 * ```
 */
export interface Future<T> {
  /** Whether the call has ended, well or not. */
  readonly done: boolean;
  /**
   * Resolves with the result, and rejects with what the function threw. After `timeout` it rejects too, and the call continues.
   *
   * @param options.timeout how long to wait; without it, as long as it takes
   * @throws PawlError `pool.waited` when there is no result by then; `argument.duration` for a timeout that is not a duration
   */
  result(options?: { readonly timeout?: Duration }): Promise<T>;
  /**
   * Stops the call: one that waits is never begun, one that runs is told by its signal; with `kill` its worker is ended. The
   * result is then a DOMException `AbortError`.
   *
   * @param options.reason the message of that error, "it was cancelled" without one
   * @param options.kill whether to end the worker of a call that runs, false without it
   * @returns false when the call had ended before
   */
  cancel(options?: { readonly reason?: string; readonly kill?: boolean }): boolean;
  /** Calls back once the call has ended, well or not. */
  whenDone(listener: (failed: boolean) => void): void;
}

/** The future of a call of a pool in this thread. */
export class PoolFuture<T> implements Future<T> {
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

  get done(): boolean {
    return this.#done;
  }

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

  cancel(options: { readonly reason?: string; readonly kill?: boolean } = {}): boolean {
    if (this.#done) return false;
    return this.#owner.cancel(this.#index, options.reason ?? "it was cancelled", options.kill ?? false);
  }

  whenDone(listener: (failed: boolean) => void): void {
    this.#settled.promise.then(
      () => listener(false),
      () => listener(true),
    );
  }

  /** The pool has a result, or an error in its place. */
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
 * Waits for futures, and tells which have ended and which have not. It does not throw for a call that failed.
 *
 * @throws PawlError `pool.option` for anything but futures and for an option that cannot be; `argument.duration` for a timeout
 * that is not a duration
 * @example
 * ```ts
 * await using pool = new Pool();
 * const futures = [1, 2, 3].map((n) => pool.submit((x: number) => x * x, n));
 * const { done, pending } = await wait(futures, { timeout: "30s" });
 * console.log([done.length, pending.length]); // [ 3, 0 ]
 * ```
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
  if (futures?.every((each) => each instanceof PoolFuture)) return futures;
  throw new PawlError("pool.option", `${what} takes futures to iterate over, such as those of submit.`);
}
