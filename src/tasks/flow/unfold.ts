import { PawlError } from "../../errors.ts";
import type { GroupPosition, Json, NewGroup, NewTask, TaskRecord, TaskResult } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";
import {
  type Carried,
  carriedOf,
  type GroupSpec,
  type LinkSpec,
  metaOf,
  type NodeSpec,
  type StoredValue,
  type TaskMeta,
  withTrace,
} from "./spec.ts";

type Success = Extract<TaskResult, { readonly state: "succeeded" }>;

/** Tasks and joins that are stored in one step. */
export interface Unfolded {
  readonly tasks: NewTask[];
  readonly joins: NewGroup[];
}

/** Where the stages of a chain stand. */
export interface Position {
  /** The flow that all of it belongs to. */
  readonly flow: string;
  /** The id of the task at the end of the chain. */
  readonly base: string;
  /** The number of the first of the stages that are left, from 1. */
  readonly stage: number;
  /** The join that waits for the end of the chain. */
  readonly member?: GroupPosition;
  readonly carried?: Carried;
}

/** Results that are passed to many members are stored with each of them. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The tasks with which the stages of a chain begin, given the result of what came before. Ids follow from the place
 * in the flow: the last stage ends in the task `base`, the one before it in `base:n`; the members of a join are
 * `exit/0`, `exit/1` and so on, and the join has the id of its body. Returns the id of the task in which the first
 * stage ends.
 */
export function unfold(stages: NodeSpec, at: Position, previous: StoredValue, into: Unfolded): string {
  const [stage, ...after] = stages;
  if (stage === undefined) throw new TypeError("A chain without links cannot begin.");
  const exit = exitOf(at, after.length);
  if ("members" in stage) unfoldJoin(stage, exit, at, after, previous, into);
  else into.tasks.push(taskOf(stage, exit, at, after, previous));
  return exit;
}

/** The id of the task in which the stage at this position ends, with so many stages after it. */
export function exitOf(at: Position, after: number): string {
  return after === 0 ? at.base : `${at.base}:${at.stage}`;
}

/** The members of a join, as the one whole value that they are for what follows them. */
function membersOf(join: string): StoredValue {
  return { value: null, members: [{ at: [], join }] };
}

/** The body of a join that is not let go yet. */
export function heldBody(body: LinkSpec, exit: string, at: Position, after: NodeSpec): NewTask {
  return { ...taskOf(body, exit, at, after, membersOf(exit)), held: true };
}

function unfoldJoin(
  { members, need, body }: GroupSpec,
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
  into.tasks.push(heldBody(body, exit, at, after));
  into.joins.push({ id: exit, children: members.length, need, callback: exit });
  members.forEach((member, index) => {
    unfoldMember(member, { at, join: exit, index }, previous, into);
  });
}

/** The tasks with which one member of a join begins. */
export function unfoldMember(
  member: NodeSpec,
  { at, join, index }: { readonly at: Position; readonly join: string; readonly index: number },
  previous: StoredValue,
  into: Unfolded,
): void {
  const position = { ...at, base: `${join}/${index}`, stage: 1, member: { group: join, index } };
  unfold(member, position, previous, into);
}

function taskOf(link: LinkSpec, id: string, at: Position, after: NodeSpec, previous: StoredValue): NewTask {
  const { name, queue, input, via, argument, priority, delayMs, expiresMs, retentionMs, bucket } = link;
  const { value, members } = input ?? previous;
  const meta: TaskMeta = {
    ...at.carried,
    ...(members === undefined ? {} : { members }),
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
  const { resultMembers: members } = metaOf(result.meta ?? null);
  const previous = { value: result.value ?? null, ...(members === undefined ? {} : { members }) };
  const into: Unfolded = { tasks: [], joins: [] };
  const position = { flow: task.flow ?? base, base, stage: stage + 1, carried: carriedOf(meta) };
  const exit = unfold(after, position, previous, into);
  return {
    ...result,
    next: into.tasks.map((next) => withTrace(next, trace)),
    groups: into.joins,
    successor: task.childOf === null ? null : exit,
  };
}
