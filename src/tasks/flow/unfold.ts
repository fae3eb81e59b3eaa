import { PawlError } from "../../errors.ts";
import type { Json, Membership, NewJoin, NewTask } from "../../store/contract.ts";
import { membersMark } from "./members.ts";
import type { Carried, JoinSpec, LinkSpec, NodeSpec, TaskMeta } from "./spec.ts";

/** Tasks and joins that are stored in one step. */
export interface Unfolded {
  readonly tasks: NewTask[];
  readonly joins: NewJoin[];
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
  readonly member?: Membership;
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
export function unfold(stages: NodeSpec, at: Position, previous: Json, into: Unfolded): string {
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

/** The body of a join that is not let go yet. */
export function heldBody(body: LinkSpec, exit: string, at: Position, after: NodeSpec): NewTask {
  const { expiresMs: _, delayMs: __, ...link } = body;
  // Its time to expire would run while its members do.
  return { ...taskOf(link, exit, at, after, membersMark(exit)), held: true };
}

function unfoldJoin(
  { members, need, body }: JoinSpec,
  exit: string,
  at: Position,
  after: NodeSpec,
  previous: Json,
  into: Unfolded,
): void {
  const bytes = members.length * (JSON.stringify(previous)?.length ?? 0);
  if (bytes > MOST_BYTES) {
    throw new PawlError(
      "task.too-large",
      `A result is passed to ${members.length} members of a group, which is ${Math.round(bytes / 1024 ** 2)} MB: keep it elsewhere, and pass where it is.`,
    );
  }
  into.tasks.push(heldBody(body, exit, at, after));
  into.joins.push({ id: exit, members: members.length, need, body: exit });
  members.forEach((member, index) => {
    unfoldMember(member, { at, join: exit, index }, previous, into);
  });
}

/** The tasks with which one member of a join begins. */
export function unfoldMember(
  member: NodeSpec,
  { at, join, index }: { readonly at: Position; readonly join: string; readonly index: number },
  previous: Json,
  into: Unfolded,
): void {
  const position = { ...at, base: `${join}/${index}`, stage: 1, member: { join, index } };
  unfold(member, position, previous, into);
}

function taskOf(link: LinkSpec, id: string, at: Position, after: NodeSpec, previous: Json): NewTask {
  const { name, queue, input, via, argument, priority, delayMs, expiresMs, retentionMs, lane } = link;
  const meta: TaskMeta = {
    ...at.carried,
    ...(via === undefined ? {} : { via }),
    ...(argument === undefined ? {} : { argument }),
    ...(after.length === 0 ? {} : { flow: { base: at.base, stage: at.stage, after } }),
  };
  return {
    id,
    queue,
    name,
    group: at.flow,
    payload: input === undefined ? previous : input,
    meta: meta as unknown as Json,
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(retentionMs === undefined ? {} : { retentionMs }),
    ...(lane === undefined ? {} : { lane }),
    ...(at.member === undefined ? {} : { member: at.member }),
  };
}
