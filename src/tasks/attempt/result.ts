/** What an attempt leads to: a success, another attempt and when, or a dead letter. */
import { errorText, isOf } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import { backoffDelay, retryDelay } from "../../retry.ts";
import type { Json, TaskRecord, TaskResult } from "../../store/contract.ts";
import type { Definition } from "../contract.ts";
import type { StoredValue } from "../flow/spec.ts";
import { metaOf, type TaskMeta } from "../task-meta.ts";
import {
  CancelledError,
  PermanentError,
  Retry,
  Snooze,
  SoftLimitError,
  StoppedError,
  UnhandledError,
} from "./errors.ts";

/** The result of a task that succeeded. */
export type Success = Extract<TaskResult, { readonly state: "succeeded" }>;

/** The result of a task that returned a value. Where results of groups stand in the value is kept in the task's meta. */
export function success(task: TaskRecord, { value, groups }: StoredValue): Success {
  if (groups === undefined) return { state: "succeeded", value };
  const meta: TaskMeta = { ...metaOf(task.meta), resultGroups: groups };
  return { state: "succeeded", value, meta: meta as unknown as Json };
}

/**
 * The result for an error. Once the signal has aborted, its reason decides, because what a handler throws while it ends is a
 * consequence of that; except after a soft limit, when a PermanentError still means that trying again cannot help.
 */
export function resultOfError(
  error: unknown,
  definition: Definition,
  task: TaskRecord,
  signal: AbortSignal,
): TaskResult | null {
  const { reason } = signal;
  if (isOf(error, LostError) || reason instanceof LostError || reason instanceof CancelledError)
    return resultOfStop(reason);
  if (isOf(error, PermanentError)) return { state: "dead", error: errorText(error) };
  if (reason instanceof UnhandledError) return resultOfUnhandled(reason, definition, task);
  if (isOf(error, Snooze)) return snoozed(error, definition, task);
  if (reason instanceof StoppedError) return resultOfStop(reason);
  if (isOf(error, Retry)) return failure(errorText(error), error, definition, task, delayOf(error));
  if (isOf(error, PawlError) && LASTING.has(codeOf(error))) return { state: "dead", error: errorText(error) };
  const said = errorText(reason instanceof SoftLimitError ? reason : error);
  return isWorthRetrying(error, definition)
    ? failure(said, error, definition, task)
    : { state: "dead", error: said };
}

/** The result of an attempt that ended because its signal aborted. */
export function resultOfStop(reason: unknown): TaskResult | null {
  if (reason instanceof CancelledError) return { state: "cancelled" };
  return reason instanceof StoppedError ? { state: "snoozed", delayMs: 0 } : null;
}

/** The result of an attempt with an unhandled error. */
export function resultOfUnhandled(
  { cause, message }: UnhandledError,
  definition: Definition,
  task: TaskRecord,
): TaskResult {
  return isWorthRetrying(cause, definition)
    ? failure(message, cause, definition, task)
    : { state: "dead", error: message };
}

/** A server may ask for any time; a task is tried again after this one at the latest. */
const LONGEST_ASKED_MS = 86_400_000;

/**
 * One more failure: the task is tried again or becomes a dead letter. It waits for its backoff, and before that as long as the
 * error says that a server asked for (Retry-After), unless a delay is given.
 */
export function failure(
  message: string,
  error: unknown,
  { maxFailures, backoff }: Pick<Definition, "maxFailures" | "backoff">,
  task: TaskRecord,
  delayMs: number | null = null,
): TaskResult {
  const failures = task.failures + 1;
  if (failures >= maxFailures) return { state: "dead", error: message };
  const delay = { ...backoff, longestAskedMs: LONGEST_ASKED_MS };
  return { state: "retry", delayMs: delayMs ?? retryDelay(error, failures, delay), error: message };
}

/** The result of an attempt whose child died. */
export function crash(
  error: string,
  { backoff }: Definition,
  { crashes }: TaskRecord,
  poisonAfter: number,
): TaskResult {
  return { state: "crashed", delayMs: backoffDelay(crashes + 1, backoff), error, poisonAfter };
}

/** The result of a claim for which this worker has no handler, left to another worker. */
export function resultOfUnknown(fence: number): TaskResult {
  // Longer each time, so that a task without a handler anywhere does not keep all workers busy.
  return { state: "snoozed", delayMs: backoffDelay(fence, { baseMs: 500, capMs: 60_000 }) };
}

/** After so many failures a task whose attempts cannot be made becomes a dead letter. */
const MOST_DEFECTS = 10;

/** The result of an attempt that could not be made, which is a defect. */
export function resultOfDefect(error: unknown, task: TaskRecord): TaskResult {
  return failure(errorText(error), error, { maxFailures: MOST_DEFECTS, backoff: {} }, task);
}

/** Codes of errors that every further attempt would meet again. */
const LASTING: ReadonlySet<string> = new Set(["task.input", "task.not-json", "task.too-large"]);

function isWorthRetrying(error: unknown, { retryOn }: Definition): boolean {
  try {
    return Boolean(retryOn(error));
  } catch {
    // An error in the function of the program must not cost the task its retries.
    return true;
  }
}

/** Checks the delay again: the program may have changed it since the Snooze was made. */
function snoozed({ delayMs }: Snooze, definition: Definition, task: TaskRecord): TaskResult {
  try {
    return { state: "snoozed", delayMs: new Snooze(delayMs).delayMs };
  } catch (error) {
    return isWorthRetrying(error, definition)
      ? failure(errorText(error), error, definition, task)
      : { state: "dead", error: errorText(error) };
  }
}

function delayOf({ delayMs }: Retry): number | null {
  return typeof delayMs === "number" && delayMs >= 0 ? delayMs : null;
}

function codeOf(error: PawlError): string {
  try {
    return String(error.code);
  } catch {
    return "";
  }
}
