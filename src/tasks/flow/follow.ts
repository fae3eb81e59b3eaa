import type { Json, TaskRecord, TaskResult } from "../../store/contract.ts";
import { carriedOf, type MembersAt, metaOf, type StoredValue, type TaskMeta, withTrace } from "./spec.ts";
import { type Unfolded, unfold } from "./unfold.ts";

/** How a task that succeeded is settled: with what follows it in its flow, if anything does. */
export function succeeded(task: TaskRecord, result: StoredValue | undefined): TaskResult {
  const meta = metaOf(task.meta);
  // Most are in no flow and give no members.
  if (result !== undefined && result.members === undefined && meta.flow === undefined) {
    return { state: "succeeded", value: result.value };
  }
  const settled = {
    ...(result === undefined ? {} : { value: result.value }),
    ...(result?.members === undefined ? {} : { meta: withResultMembers(meta, result.members) }),
  };
  const { flow: place, trace } = meta;
  if (place === undefined) return { state: "succeeded", ...settled };
  const { base, stage, after } = place;
  const into: Unfolded = { tasks: [], joins: [] };
  const position = { flow: task.flow ?? base, base, stage: stage + 1, carried: carriedOf(meta) };
  const exit = unfold(after, position, result ?? { value: null }, into);
  return {
    state: "succeeded",
    ...settled,
    next: into.tasks.map((next) => withTrace(next, trace)),
    groups: into.joins,
    successor: task.childOf === null ? null : exit,
  };
}

function withResultMembers(meta: TaskMeta, members: readonly MembersAt[]): Json {
  const kept: TaskMeta = { ...meta, resultMembers: members };
  return kept as unknown as Json;
}
