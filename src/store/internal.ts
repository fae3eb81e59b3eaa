/** What the floors above need of the store and users of the package do not. */
export { machineClock } from "./clock.ts";
export { JsonText, toJson } from "./json-text.ts";
export { isContentError } from "./sql/errors.ts";
export { type StateLocation, stateLocation } from "./state-location.ts";
