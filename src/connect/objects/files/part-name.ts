import { randomBytes } from "node:crypto";

const PART = /^\.pawl-[a-z0-9]+-[0-9a-f]{16,32}\.part$/;

/**
 * A name under which an object is written, in the folder where it will be, until it is whole. Nobody can guess it, so that
 * nothing can be laid in its way.
 */
export function newPartName(run: string): string {
  return `.pawl-${run}-${randomBytes(16).toString("hex")}.part`;
}

/** Whether a name is one of a run that writes, or was killed while it wrote; of the run that is given, or of any. */
export function isPartName(name: string, run?: string): boolean {
  return PART.test(name) && (run === undefined || name.startsWith(`.pawl-${run}-`));
}
