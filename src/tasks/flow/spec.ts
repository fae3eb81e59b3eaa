import type { Json, NewTask } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";

/** A trace context as text, in the form of the propagator that the program chose: `traceparent` and the like. */
export type Trace = Readonly<Record<string, string>>;

/** Where in a value the results of a group stand, and of which one. The value has null there. */
export interface MembersAt {
  /** The names and indexes that lead there, from the outside in; none where they are the whole value. */
  readonly at: readonly (string | number)[];
  readonly join: string;
}

/**
 * A value as it is stored. What stands for members is kept beside its JSON and never in it, so that no data can be
 * taken for them.
 */
export interface StoredValue {
  readonly value: Json | JsonText;
  readonly members?: readonly MembersAt[];
}

/**
 * A flow as it is stored with its tasks: what runs after them stands in their `meta`, with everything that its
 * definition said about it, so that a worker need not know the task that comes next.
 */
export type NodeSpec = readonly StageSpec[];

/** One step of a chain: a task, or members with the task that is let go when they have ended. */
export type StageSpec = LinkSpec | GroupSpec;

export interface LinkSpec {
  readonly name: string;
  readonly queue: string;
  /** The input; without it, the result of what came before. */
  readonly input?: StoredValue;
  /** The name of the function in `maps` that what came before goes through. */
  readonly via?: string;
  /** What that function is given besides. */
  readonly argument?: StoredValue;
  readonly priority?: number;
  readonly delayMs?: number;
  readonly expiresMs?: number;
  readonly retentionMs?: number;
  readonly bucket?: string;
}

export interface GroupSpec {
  readonly members: readonly NodeSpec[];
  readonly need: "all" | number;
  readonly body: LinkSpec;
}

/** What a task of a flow knows of its place. */
export interface FlowPosition {
  /** The id of the task at the end of its chain. */
  readonly base: string;
  /** Its stage in the chain, from 1. */
  readonly stage: number;
  readonly after: NodeSpec;
}

/** What the layer of tasks keeps with a task. */
export interface TaskMeta {
  readonly flow?: FlowPosition;
  readonly via?: string;
  readonly argument?: StoredValue;
  /** Where members stand in the payload. */
  readonly members?: readonly MembersAt[];
  /** Where members stand in the result. */
  readonly resultMembers?: readonly MembersAt[];
  /** When the schedule said that it fires, in milliseconds since 1970. */
  readonly scheduledFor?: number;
  /** The trace in which it was enqueued, and the rest of its flow with it. */
  readonly trace?: Trace;
}

/** What every task of a flow is given by the one before it. */
export type Carried = Pick<TaskMeta, "scheduledFor">;

export function carriedOf({ scheduledFor }: TaskMeta): Carried {
  return scheduledFor === undefined ? {} : { scheduledFor };
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
  const { members = [], resultMembers = [] } = metaOf(meta);
  return { input: members.map(({ join }) => join), result: resultMembers.map(({ join }) => join) };
}

/** How many links of a chain follow a task, by its meta. */
export function linksAfter(meta: Json): number {
  return metaOf(meta).flow?.after.length ?? 0;
}
