import type { Json } from "../../store/contract.ts";
import type { JsonText } from "../../store/internal.ts";

/** Where in a value the results of a group stand, and of which one. The value has null there. */
export interface GroupResultsAt {
  /** The names and indexes that lead there, from the outside in; none where they are the whole value. */
  readonly at: readonly (string | number)[];
  readonly group: string;
}

/**
 * A value as it is stored. Where results of groups stand in it is kept beside the JSON and never in it, so that no data can be
 * taken for them.
 */
export interface StoredValue {
  readonly value: Json | JsonText;
  readonly groups?: readonly GroupResultsAt[];
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
  /** The second argument of that function. */
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
  readonly callback: LinkSpec;
}

/** The place of a task in its flow. */
export interface FlowPosition {
  /** The id of the task at the end of its chain. */
  readonly base: string;
  /** Its stage in the chain, from 1. */
  readonly stage: number;
  readonly after: NodeSpec;
}
