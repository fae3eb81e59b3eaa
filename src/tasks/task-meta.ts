import type { Json, NewTask } from "../store/contract.ts";
import { JsonText } from "../store/internal.ts";
import type { FlowPosition, GroupResultsAt, StoredValue } from "./flow/spec.ts";

/** A trace context as text, in the form of the propagator that the program chose: `traceparent` and the like. */
export type Trace = Readonly<Record<string, string>>;

/** What this floor stores with a task, in its column `meta`. */
export interface TaskMeta {
  readonly flow?: FlowPosition;
  readonly via?: string;
  readonly argument?: StoredValue;
  /** Where results of groups stand in the payload. */
  readonly inputGroups?: readonly GroupResultsAt[];
  /** Where results of groups stand in the result. */
  readonly resultGroups?: readonly GroupResultsAt[];
  /** When the schedule said that it fires, in milliseconds since 1970. */
  readonly scheduledFor?: number;
  /** The trace in which it was enqueued, and the rest of its flow with it. */
  readonly trace?: Trace;
}

const NO_META: TaskMeta = Object.freeze({});

export function metaOf(given: Json | JsonText): TaskMeta {
  const meta = given instanceof JsonText ? given.value() : given;
  return typeof meta === "object" && meta !== null ? (meta as TaskMeta) : NO_META;
}

/** The task with the trace that it is enqueued in. */
export function withTrace(task: NewTask, trace: Trace | null | undefined): NewTask {
  if (trace == null) return task;
  const meta: TaskMeta = { ...metaOf(task.meta ?? null), trace };
  return { ...task, meta: meta as unknown as Json };
}

/** The groups whose results stand in the input and in the result of a task, by its meta. */
export function groupsWithin(meta: Json): { readonly input: string[]; readonly result: string[] } {
  const { inputGroups = [], resultGroups = [] } = metaOf(meta);
  return { input: inputGroups.map(({ group }) => group), result: resultGroups.map(({ group }) => group) };
}

/** How many links of a chain follow a task, by its meta. */
export function linksAfter(meta: Json): number {
  return metaOf(meta).flow?.after.length ?? 0;
}
