/**
 * What a store is given is taken at the moment of the call: a driver may write it later, when the file is free or the
 * server answers, and the caller may have changed its objects by then.
 */
import { errorText } from "../error-text.ts";
import { PawlError } from "../errors.ts";
import type { NewTask, ProgressReport, Settlement } from "./contract.ts";
import { JsonText } from "./json-text.ts";

export function takenTask(task: NewTask): NewTask {
  const { payload, meta } = task;
  // Tasks of a batch that have nothing there are told to be alike by that.
  const bare = meta === undefined || meta === null;
  if (payload instanceof JsonText && (bare || meta instanceof JsonText)) return task;
  const taken = { ...task, payload: take(payload, "payload", task) };
  return bare ? taken : { ...taken, meta: take(meta, "meta", task) };
}

export function takenSettlement(settlement: Settlement): Settlement {
  const { result } = settlement;
  if (result.state !== "succeeded") return settlement;
  const { value, next, meta } = result;
  if (isTaken(value) && isTaken(meta) && next === undefined) return settlement;
  return {
    ...settlement,
    result: {
      ...result,
      ...(value === undefined ? {} : { value: take(value, "result", settlement) }),
      ...(next === undefined ? {} : { next: next.map(takenTask) }),
      ...(meta === undefined ? {} : { meta: take(meta, "meta", settlement) }),
    },
  };
}

function isTaken(value: unknown): boolean {
  return value === undefined || value instanceof JsonText;
}

export function takenReport(report: ProgressReport): ProgressReport {
  return { ...report, value: take(report.value, "progress", report) };
}

function take(value: unknown, what: string, { id }: { readonly id: string }): JsonText {
  if (value instanceof JsonText) return value;
  try {
    return JsonText.of(value);
  } catch (error) {
    throw unstorable(`The ${what} of task ${JSON.stringify(id)}`, error);
  }
}

function unstorable(what: string, error: unknown): PawlError {
  const why = errorText(error).split("\n", 1)[0] ?? "";
  return new PawlError("store.unstorable", `${what} cannot be stored as JSON: ${why}.`, { cause: error });
}

/** A copy of what is all JSON and seldom given, such as a run or a schedule. */
export function detached<T>(value: T, what: string): T {
  try {
    return JsonText.of(value).value() as T;
  } catch (error) {
    throw unstorable(what, error);
  }
}
