import type { Json, Outcome, TaskRecord } from "../../store/contract.ts";
import { carriedOf, metaOf, withTrace } from "./spec.ts";
import { type Unfolded, unfold } from "./unfold.ts";

/** How a task that succeeded is settled: with what follows it in its flow, if anything does. */
export function succeeded(task: TaskRecord, result: Json | undefined): Outcome {
  const settled = result === undefined ? {} : { result };
  const meta = metaOf(task.meta);
  const { flow: place, trace } = meta;
  if (place === undefined) return { state: "succeeded", ...settled };
  const { base, stage, after } = place;
  const into: Unfolded = { tasks: [], joins: [] };
  const position = { flow: task.group ?? base, base, stage: stage + 1, carried: carriedOf(meta) };
  const exit = unfold(after, position, result ?? null, into);
  return {
    state: "succeeded",
    ...settled,
    next: into.tasks.map((next) => withTrace(next, trace)),
    joins: into.joins,
    successor: task.member === null ? null : exit,
  };
}
