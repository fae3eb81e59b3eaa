import { createHash } from "node:crypto";

const PART = /^\.pawl-[a-z0-9]+-[0-9a-f]{16}\.part$/;

/**
 * The name under which an object is written, in the folder where it will be, until it is whole. A run that goes on after
 * a kill writes under the same name, so that nothing is left behind.
 */
export function partName(run: string, key: string): string {
  return `.pawl-${run}-${createHash("sha256").update(key).digest("hex").slice(0, 16)}.part`;
}

export function isPartName(name: string): boolean {
  return PART.test(name);
}
