/** What the floors above need of the store and users of the package do not. */
import { isOf } from "../error-text.ts";
import { LostError, PawlError, TransientError } from "../errors.ts";

export { machineClock } from "./clock.ts";
export { JsonText, toJson } from "./json-text.ts";
export { type StateLocation, stateLocation } from "./state-location.ts";

/** Codes of errors that concern the store as a whole, not what was to be written. */
const OF_THE_STORE =
  /^(postgres\.|store\.(closed|gone|newer|clock|read-only|cannot-open|corrupt|not-a-store|no-shared-memory)$)/;

/**
 * Whether a store refused an operation because of its content: a text with a NUL, a number that is not an instant, a row too large
 * for an index. Then one part of a batch may be at fault, and the others can be stored without it; trying the same again
 * cannot help. False when the store cannot be reached, is busy, full or closed, or may not be written.
 */
export function isContentError(error: unknown): boolean {
  if (isOf(error, TransientError) || isOf(error, LostError)) return false;
  return !(isOf(error, PawlError) && OF_THE_STORE.test(error.code));
}
