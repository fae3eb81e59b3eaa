/**
 * What a store is given is taken at the moment of the call: a driver may write it later, when the file is free or the
 * server answers, and the caller may have changed its objects by then.
 */
import type { NewTask, ProgressReport, Settlement } from "./contract.ts";
import { JsonText } from "./json-text.ts";

export function takenTask(task: NewTask): NewTask {
  const { payload, meta } = task;
  // Tasks of a batch that have nothing there are told to be alike by that.
  const bare = meta === undefined || meta === null;
  if (payload instanceof JsonText && (bare || meta instanceof JsonText)) return task;
  return bare
    ? { ...task, payload: JsonText.of(payload) }
    : { ...task, payload: JsonText.of(payload), meta: JsonText.of(meta) };
}

export function takenSettlement(settlement: Settlement): Settlement {
  const { outcome } = settlement;
  if (outcome.state !== "succeeded") return settlement;
  const { result, next, meta } = outcome;
  if (isTaken(result) && isTaken(meta) && next === undefined) return settlement;
  return {
    ...settlement,
    outcome: {
      ...outcome,
      ...(result === undefined ? {} : { result: JsonText.of(result) }),
      ...(next === undefined ? {} : { next: next.map(takenTask) }),
      ...(meta === undefined ? {} : { meta: JsonText.of(meta) }),
    },
  };
}

function isTaken(value: unknown): boolean {
  return value === undefined || value instanceof JsonText;
}

export function takenReport(report: ProgressReport): ProgressReport {
  return { ...report, value: JsonText.of(report.value) };
}

/** A copy of what is all JSON and seldom given, such as a run or a schedule. */
export function detached<T>(value: T): T {
  return JsonText.of(value).value() as T;
}
