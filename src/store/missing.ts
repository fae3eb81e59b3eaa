import { PawlError } from "../errors.ts";

/** There is no store where a program that only looks expects one. */
export function noStore(location: string): PawlError {
  return new PawlError(
    "store.missing",
    `There is no store at ${location}: go to the folder where the work was begun, or name its store with PAWL_STORE.`,
  );
}
