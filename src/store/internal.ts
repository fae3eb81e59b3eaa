/** What the floors above need of the store and users of the package do not. */
export { machineClock } from "./clock.ts";
export { JsonText, toJson } from "./json-text.ts";
export { isContentError } from "./sql/errors.ts";
export { nameStore, type StateLocation, stateLocation, storeLocation } from "./state-location.ts";
