import { resolve } from "node:path";
import { PawlError } from "../errors.ts";
import { publicUrl } from "../postgres-url.ts";

/** There is no store where a program that only looks expects one. */
export function noStore(location: string): PawlError {
  const given = process.env.PAWL_STORE ?? "";
  const names = given !== "" && [resolve(given), given, publicUrl(given)].includes(location);
  return new PawlError(
    "store.missing",
    names
      ? `There is no store at ${location}, which PAWL_STORE names: correct it, or begin work with it first.`
      : `There is no store at ${location}: go to the folder where the work was begun, or name its store with PAWL_STORE.`,
  );
}
