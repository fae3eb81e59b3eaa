import { access } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { PawlError } from "../errors.ts";

/** Imports a module of the user's; `what` says in messages what it is for. */
export async function importModule(path: string, what: string): Promise<unknown> {
  await access(path).catch(() => {
    throw new PawlError("usage.module", `${what} ${path} does not exist: check the path.`);
  });
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    if (error instanceof PawlError) throw error;
    const why = oneLine(error instanceof Error ? error.message : String(error));
    throw new PawlError("usage.module", `${what} ${path} could not be imported: ${why}.`, { cause: error });
  }
}

/** The first line of what somebody else's code says, without a full stop. */
export function oneLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").replace(/\.$/, "");
}
