import { errorText, isOf } from "../error-text.ts";
import { LostError } from "../errors.ts";
import { type Backoff, backoffDelay } from "../retry.ts";
import type { Json, TaskRecord, TaskResult } from "../store/contract.ts";
import { JsonText } from "../store/json-text.ts";
import { CancelledError, PermanentError, Snooze, StoppedError } from "./attempt/errors.ts";

export interface RetryPolicy {
  /** With this many failures a task becomes a dead letter. */
  readonly maxFailures: number;
  readonly backoff: Backoff;
}

/** What a handler's return value means. */
export function outcomeOfResult(result: Json | undefined): TaskResult {
  try {
    // At once: the handler may go on with its object while other ends are being stored.
    return result === undefined ? { state: "succeeded" } : { state: "succeeded", value: JsonText.of(result) };
  } catch (error) {
    // Found here, where it concerns one task, and not in the store, where it would hold up a whole batch.
    return { state: "dead", error: `The handler returned what JSON cannot express: ${errorText(error)}` };
  }
}

/**
 * What a handler's error means; undefined when there is nothing to settle, because another worker has the task.
 * A signal that was aborted explains the error: whatever a handler throws on its way out is a consequence.
 */
export function outcomeOfError(
  error: unknown,
  task: TaskRecord,
  signal: AbortSignal,
  policy: RetryPolicy,
): TaskResult | undefined {
  if (isOf(error, LostError) || isOf(signal.reason, LostError)) return undefined;
  if (signal.reason instanceof CancelledError) return { state: "cancelled" };
  if (isOf(error, PermanentError)) return { state: "dead", error: errorText(error) };
  if (isOf(error, Snooze)) return { state: "snoozed", delayMs: error.delayMs };
  if (signal.reason instanceof StoppedError) return { state: "snoozed", delayMs: 0 };
  const failures = task.failures + 1;
  if (failures >= policy.maxFailures) return { state: "dead", error: errorText(error) };
  return { state: "retry", delayMs: backoffDelay(failures, policy.backoff), error: errorText(error) };
}
