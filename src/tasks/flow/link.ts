import { PawlError } from "../../errors.ts";
import type { LinkSpec, NodeSpec } from "./spec.ts";

/** A property that exists for the compiler only: what a link takes and gives. */
declare const takes: unique symbol;

/**
 * A part of a flow: a task, a task with an input (`with`, `via`), or a flow. It takes the result before it, and gives
 * its own.
 */
export interface Link<In, Out> {
  readonly [takes]?: (input: In) => Out;
  /** Used by flows. */
  compose(): Composed;
}

/** A link taken apart. */
export interface Composed {
  /** Null when it begins with members that are read as they are stored. */
  readonly node: NodeSpec | null;
  /** In that case the members, and what follows them. */
  readonly streamed: Streamed | null;
}

export interface Streamed {
  readonly members: Iterable<AnyLink> | AsyncIterable<AnyLink>;
  readonly need: "all" | number;
  /** Null when the results themselves are what the group gives. */
  readonly callback: NodeSpec[number] | null;
  readonly queue: string | null;
  readonly after: NodeSpec;
}

export type AnyLink = Link<never, unknown>;

/** The result of the flow that ends in this link. */
export type OutOf<L> = L extends Link<never, infer Out> ? Out : never;

/** What must come before all of these links: the intersection of what they take. */
export type InOf<L> = (L extends Link<infer In, unknown> ? (input: In) => void : never) extends (
  input: infer All,
) => void
  ? All
  : never;

/**
 * The name of the task that returns its input: it is the callback of a group that has no other, and begins flows on a
 * schedule.
 */
export const PASS = "pawl.pass";

/** The callback of a group that has no other: it passes the results on. */
export function passIn(queue: string | undefined): LinkSpec {
  return { name: PASS, queue: queue ?? "default", retentionMs: PASS_RETENTION_MS };
}

const PASS_RETENTION_MS = 7 * 86_400_000;

/** The queue in which a node begins. */
export function queueOf(node: NodeSpec | undefined): string | undefined {
  const first = node?.[0];
  if (first === undefined) return undefined;
  return "members" in first ? first.callback.queue : first.queue;
}

/** The task at the end of a node, which gives its result. */
export function endOf(node: NodeSpec): string | undefined {
  const last = node.at(-1);
  if (last === undefined) return undefined;
  return "members" in last ? last.callback.name : last.name;
}

/**
 * Which tasks a flow is made of, one after the other, as a text. Inputs and options do not count, nor the members of a group: a
 * call that is made again may have read newer data.
 */
export function shapeOf({ node, streamed }: Composed): string {
  if (node !== null || streamed === null) return JSON.stringify((node ?? []).map(nameOf));
  const { callback, after } = streamed;
  return JSON.stringify([callback === null ? [PASS] : [endOf([callback])], ...after.map(nameOf)]);
}

function nameOf(stage: NodeSpec[number]): string | [string] {
  return "members" in stage ? [stage.callback.name] : stage.name;
}

/** A link taken apart. Throws the PawlError `flow.link` for what is not one. */
export function composed(link: AnyLink): Composed {
  if (typeof (link as Partial<AnyLink> | null)?.compose !== "function") {
    throw new PawlError(
      "flow.link",
      `A flow is made of tasks and flows, not of ${link === null ? "null" : `a value of type ${typeof link}`}: write task.with(input).`,
    );
  }
  return link.compose();
}

/** A link that stands where it must be stored with what comes before it. */
export function nodeOf(link: AnyLink): NodeSpec {
  const { node } = composed(link);
  if (node !== null) return node;
  throw new PawlError(
    "flow.stream",
    "Members that are read as they are stored can only be the beginning of a flow: give this group an array.",
  );
}
