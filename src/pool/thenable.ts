import { PawlError } from "../errors.ts";

const { prototype } = Object;

/** Whether a value is to be waited for. What all objects inherit, because somebody gave them a `then`, says nothing of it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null || !("then" in value)) return false;
  return typeof value.then === "function" && value.then !== (prototype as { then?: unknown }).then;
}

/** Whether all objects inherit a `then`: whoever awaits an object of this thread waits for ever. */
export function inheritsThen(): boolean {
  return typeof (prototype as { then?: unknown }).then === "function";
}

/** How often a worker that waits looks for it. */
export const THEN_LOOK_MS = 500;

/** Why what a worker awaits would never end. `what` begins the sentence. */
export function neverEnds(what: string): PawlError {
  return new PawlError(
    "pool.inherited-then",
    `${what} let all objects inherit a function "then", so that nothing that its worker awaits can end: define it on objects of its own.`,
  );
}
