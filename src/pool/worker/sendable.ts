import { serialize } from "node:v8";
import { assertCloneable } from "../cloneable.ts";
import type { Isolation } from "../portable.ts";

/** Why a value cannot be sent to a thread or a process, for people; null when it can. */
export function whyUnsendable(value: unknown, to: Isolation): string | null {
  try {
    if (typeof value === "object" && value !== null) assertCloneable(value, to);
    // A pipe takes less than a thread does: shared memory, for one.
    if (to === "thread") structuredClone(value);
    else serialize(value);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
