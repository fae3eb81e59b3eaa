import type { NodeSpec } from "./spec.ts";

/** Says what a link takes and gives; it exists for the compiler only. */
declare const takes: unique symbol;

/** Part of a flow: a task, or a flow. It takes the result of what comes before it, and gives its own. */
export interface Link<In, Out> {
  readonly [takes]?: (input: In) => Out;
  /** For flows. */
  compose(): Composed;
}

/** A link taken apart. */
export interface Composed {
  /** Null when it begins with members that are read as they are stored. */
  readonly node: NodeSpec | null;
  /** Then the members, and what follows them. */
  readonly streamed: Streamed | null;
}

export interface Streamed {
  readonly members: Iterable<AnyLink> | AsyncIterable<AnyLink>;
  readonly need: "all" | number;
  /** Null when the results themselves are what the group gives. */
  readonly body: NodeSpec[number] | null;
  readonly queue: string | null;
  readonly after: NodeSpec;
}

export type AnyLink = Link<never, unknown>;

/** What the flow that ends in this link gives. */
export type OutOf<L> = L extends Link<never, infer Out> ? Out : never;

/** What must come before all of these links: the intersection of what they take. */
export type InOf<L> = (L extends Link<infer In, unknown> ? (input: In) => void : never) extends (
  input: infer All,
) => void
  ? All
  : never;
