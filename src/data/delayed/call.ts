import { inspect } from "node:util";
import type { AnyFunction } from "../../pool/internal.ts";
import { markAsUncloneable } from "../../uncloneable.ts";

/** The arguments of a delayed call as they were at the call, with other delayed values in their places. */
export interface TakenArguments {
  readonly args: readonly unknown[];
  /** The delayed values in them, each once. */
  readonly needs: readonly DelayedCall[];
}

/** A call that has not been made: a node of a graph. What it needs was made before it, so that no graph has a ring. */
export class DelayedCall {
  /** Of its function, or as it was given. */
  readonly name: string;
  readonly fn: AnyFunction;
  readonly taken: TakenArguments;

  constructor(name: string, fn: AnyFunction, taken: TakenArguments) {
    this.name = name;
    this.fn = fn;
    this.taken = taken;
    // A worker that was sent one would get its fields and no graph.
    markAsUncloneable(this);
  }

  /** Not the whole graph. */
  [inspect.custom](): string {
    return `Delayed(${this.name})`;
  }
}
