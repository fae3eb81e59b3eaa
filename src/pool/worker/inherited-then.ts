import { PawlError } from "../../errors.ts";

const { prototype } = Object;

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
