import { type Duration, durationText, milliseconds } from "../../durations.ts";
import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";

/**
 * Thrown by a handler when trying again cannot help: the task becomes a dead letter at once.
 *
 * @example
 * ```ts
 * throw new PermanentError("The account 7 is closed.");
 * ```
 */
export class PermanentError extends PawlError {
  override readonly name = "PermanentError";

  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "task.permanent", message, options);
  }
}

/**
 * Thrown by a handler to hand its task back to the queue for some time. That counts as neither a failure nor a crash.
 *
 * @example
 * ```ts
 * throw new Snooze("10m");
 * ```
 */
export class Snooze extends Error {
  override readonly name = "Snooze";
  /** Milliseconds until it may be claimed again; null holds it until it is released. */
  readonly delayMs: number | null;

  /**
   * @param delay until it may be claimed again; null or `Infinity` holds it until it is released
   * @throws PawlError `argument.duration` when that is not a duration
   */
  constructor(delay: Duration | null) {
    super("The task was handed back.");
    const isForever = delay === null || delay === Number.POSITIVE_INFINITY;
    this.delayMs = isForever ? null : milliseconds(delay, "The delay of a Snooze");
  }
}

/**
 * The reason of a task's signal when the task was cancelled.
 *
 * @example
 * ```ts
 * task({ name: "export" }, async (rows: number[], { signal }) => {
 *   for (const row of rows) {
 *     if (signal.reason instanceof CancelledError) console.log(`cancelled before row ${row}`);
 *     signal.throwIfAborted();
 *   }
 * });
 * ```
 */
export class CancelledError extends Error {
  override readonly name = "CancelledError";

  constructor() {
    super("The task was asked to stop for good.");
  }
}

/**
 * The reason of a task's signal when its worker stops: throw, and the task goes back to its queue.
 *
 * @example
 * ```ts
 * task({ name: "watch" }, async (_: null, { signal }) => {
 *   await new Promise((resolve) => signal.addEventListener("abort", resolve));
 *   if (signal.reason instanceof StoppedError) throw signal.reason;
 * });
 * ```
 */
export class StoppedError extends Error {
  override readonly name = "StoppedError";

  constructor() {
    super("The worker is stopping.");
  }
}

/**
 * The reason of a task's signal when it has run for as long as its soft limit.
 *
 * @example
 * ```ts
 * task({ name: "crawl", softLimit: "10m" }, async (pages: string[], { signal }) => {
 *   const crawled = pages.filter(() => !(signal.reason instanceof SoftLimitError));
 *   return crawled.length;
 * });
 * ```
 */
export class SoftLimitError extends Error {
  override readonly name = "SoftLimitError";

  constructor(softMs: number) {
    super(`It ran longer than its soft limit of ${durationText(softMs)}.`);
  }
}

/**
 * The reason of a task's signal when an error arose in its context that nothing waits for: an unhandled
 * rejection, or an error in a callback. The attempt counts as failed.
 */
export class UnhandledError extends Error {
  override readonly name = "UnhandledError";

  constructor(cause: unknown) {
    super(`An error that nothing waited for: ${errorText(cause)}`, { cause });
  }
}

/** Thrown by `context.retry`. */
export class Retry extends Error {
  override readonly name = "Retry";
  /** Milliseconds until it may be claimed again; null lets the backoff decide. */
  readonly delayMs: number | null;

  constructor(reason: string, delayMs: number | null) {
    super(reason);
    this.delayMs = delayMs;
  }
}
