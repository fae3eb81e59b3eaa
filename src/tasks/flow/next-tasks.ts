/**
 * From the stored form of a flow to the tasks that come next in it. A link that fails has none: a chain ends there, and what that means
 * for a group is in store/sql/groups.ts.
 */
import { PawlError } from "../../errors.ts";
import type { GroupPosition, Json, NewGroup, NewTask, TaskRecord } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";
import type { Success } from "../attempt/result.ts";
import { metaOf, type TaskMeta, withTrace } from "../task-meta.ts";
import type { GroupSpec, LinkSpec, NodeSpec, StoredValue } from "./spec.ts";

/** Tasks and groups that are stored in one step. */
export interface Unfolded {
  readonly tasks: NewTask[];
  readonly groups: NewGroup[];
}

/** Where the stages of a chain stand. */
export interface Position {
  /** The flow that all of it belongs to. */
  readonly flow: string;
  /** The id of the task at the end of the chain. */
  readonly base: string;
  /** The number of the first of the stages that are left, from 1. */
  readonly stage: number;
  /** The group that waits for the end of the chain. */
  readonly member?: GroupPosition;
  /** See `TaskMeta`: every task of a flow passes it on to the next one. */
  readonly scheduledFor?: number;
}

/** Results that are passed to many members are stored with each of them. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The tasks with which the stages of a chain begin, given the result of what came before. Ids follow from the place
 * in the flow: the last stage ends in the task `base`, the one before it in `base:n`; the members of a group are
 * `exit/0`, `exit/1` and so on, and the group has the id of its callback. Returns the id of the task in which the first
 * stage ends.
 */
export function unfold(stages: NodeSpec, at: Position, previous: StoredValue, into: Unfolded): string {
  const [stage, ...after] = stages;
  if (stage === undefined) throw new TypeError("A chain without links cannot begin.");
  const exit = exitOf(at, after.length);
  if ("members" in stage) unfoldGroup(stage, exit, at, after, previous, into);
  else into.tasks.push(taskOf(stage, exit, at, after, previous));
  return exit;
}

/** The id of the task in which the stage at this position ends, with so many stages after it. */
export function exitOf(at: Position, after: number): string {
  return after === 0 ? at.base : `${at.base}:${at.stage}`;
}

/** The results of a group, as the whole input of what follows them. */
function resultsOf(group: string): StoredValue {
  return { value: null, groups: [{ at: [], group }] };
}

/** The callback of a group, held until the members have ended. */
export function heldCallback(callback: LinkSpec, exit: string, at: Position, after: NodeSpec): NewTask {
  return { ...taskOf(callback, exit, at, after, resultsOf(exit)), held: true };
}

function unfoldGroup(
  { members, need, callback }: GroupSpec,
  exit: string,
  at: Position,
  after: NodeSpec,
  previous: StoredValue,
  into: Unfolded,
): void {
  const bytes = members.length * JsonText.of(previous.value).text.length;
  if (bytes > MOST_BYTES) {
    throw new PawlError(
      "task.too-large",
      `A result is passed to ${members.length} members of a group, which is ${Math.round(bytes / 1024 ** 2)} MB: keep it elsewhere, and pass where it is.`,
    );
  }
  into.tasks.push(heldCallback(callback, exit, at, after));
  into.groups.push({ id: exit, children: members.length, need, callback: exit });
  members.forEach((member, index) => {
    unfoldMember(member, { at, group: exit, index }, previous, into);
  });
}

/** The tasks with which one member of a group begins. */
export function unfoldMember(
  member: NodeSpec,
  { at, group, index }: { readonly at: Position; readonly group: string; readonly index: number },
  previous: StoredValue,
  into: Unfolded,
): void {
  const position = { ...at, base: `${group}/${index}`, stage: 1, member: { group: group, index } };
  unfold(member, position, previous, into);
}

function taskOf(link: LinkSpec, id: string, at: Position, after: NodeSpec, previous: StoredValue): NewTask {
  const { name, queue, input, via, argument, priority, delayMs, expiresMs, retentionMs, bucket } = link;
  const { value, groups } = input ?? previous;
  const meta: TaskMeta = {
    ...(at.scheduledFor === undefined ? {} : { scheduledFor: at.scheduledFor }),
    ...(groups === undefined ? {} : { inputGroups: groups }),
    ...(via === undefined ? {} : { via }),
    ...(argument === undefined ? {} : { argument }),
    ...(after.length === 0 ? {} : { flow: { base: at.base, stage: at.stage, after } }),
  };
  return {
    id,
    queue,
    name,
    flow: at.flow,
    payload: value,
    meta: meta as unknown as Json,
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(retentionMs === undefined ? {} : { retentionMs }),
    ...(bucket === undefined ? {} : { bucket }),
    ...(at.member === undefined ? {} : { childOf: at.member }),
  };
}

/** The result of a task that succeeded, with what follows it in its flow, if anything does. */
export function withSuccessors(task: TaskRecord, result: Success): Success {
  const meta = metaOf(task.meta);
  const { flow: place, trace } = meta;
  if (place === undefined) return result;
  const { base, stage, after } = place;
  const { resultGroups } = metaOf(result.meta ?? null);
  const previous = {
    value: result.value ?? null,
    ...(resultGroups === undefined ? {} : { groups: resultGroups }),
  };
  const into: Unfolded = { tasks: [], groups: [] };
  const position = {
    flow: task.flow ?? base,
    base,
    stage: stage + 1,
    ...(meta.scheduledFor === undefined ? {} : { scheduledFor: meta.scheduledFor }),
  };
  const exit = unfold(after, position, previous, into);
  return {
    ...result,
    next: into.tasks.map((next) => withTrace(next, trace)),
    groups: into.groups,
    successor: task.childOf === null ? null : exit,
  };
}
