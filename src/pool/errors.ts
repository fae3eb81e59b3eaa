import { PawlError } from "../errors.ts";

/** An item or a call ran longer than its hard limit. */
export class TimeLimitError extends PawlError {
  override readonly name = "TimeLimitError";
}

/** The actor died while it ran the call, or before it could. What it knew since the last save is lost. */
export class ActorDiedError extends PawlError {
  override readonly name = "ActorDiedError";
}

/** The worker died while it ran an item. */
export class WorkerDiedError extends PawlError {
  override readonly name = "WorkerDiedError";
}

/** Why what a worker awaits would never end. `what` begins the sentence. */
export function neverEnds(what: string): PawlError {
  return new PawlError(
    "pool.inherited-then",
    `${what} let all objects inherit a function "then", so that nothing that its worker awaits can end: define it on objects of its own.`,
  );
}
