import { Cost } from "./cost.ts";
import type { FunctionReference } from "./reference.ts";

/** How long an item may run. */
export interface TimeLimit {
  /** Milliseconds of execution after which the item's signal aborts; it may then end by itself. */
  readonly soft?: number;
  /** Milliseconds of execution after which its worker is ended and replaced. */
  readonly hard: number;
}

/** A function as the pool calls it, with what holds for each of its items. */
export interface Call {
  /** Under this number workers keep the function. */
  readonly number: number;
  readonly reference: FunctionReference;
  /** For people. */
  readonly name: string;
  readonly spread: boolean;
  readonly limit: TimeLimit | null;
  /** How often an item is given to another worker after it has killed one. */
  readonly crashRetries: number;
  /** Items a batch; null to go by what they cost. */
  readonly chunkSize: number | null;
  /** What is known of the function, from all its calls in this pool. */
  readonly cost: Cost;
}

export { Cost };
