import type { LimitMs } from "../../options.ts";
import type { TimeLimitTimer } from "../../worker/time-limit.ts";

/** One call on its way, from the caller to the result. */
export class ActorCall {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly limit: LimitMs | null;
  readonly signal: AbortSignal | undefined;
  readonly result: Promise<unknown>;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  readonly #settled: () => void;
  /** Its number in the worker that has it. */
  seq = -1;
  /** Runs while its time does. */
  timer: TimeLimitTimer | null = null;
  /** Why it is not wanted any more, though its worker has it. */
  aborted: { readonly reason: unknown } | null = null;

  constructor(
    method: string,
    args: readonly unknown[],
    limit: LimitMs | null,
    signal: AbortSignal | undefined,
    settled: () => void,
  ) {
    this.method = method;
    this.args = args;
    this.limit = limit;
    this.signal = signal;
    this.#settled = settled;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.result = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether its worker is to tell when it begins, and may be told to stop it. */
  get watched(): boolean {
    return this.limit !== null || this.signal !== undefined;
  }

  resolve(value: unknown): void {
    this.#end();
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.timer?.stop();
    this.timer = null;
    this.#settled();
  }
}
