import { PawlError } from "../../errors.ts";
import type { Isolation } from "../portable.ts";

/** Refuses the way to another process to what lives in this one's memory. */
export function assertStaysInProcess(to: Isolation, what: string, remedy: string): void {
  if (to === "thread") return;
  throw new PawlError(
    "pool.shared-process",
    `${what} lies in the memory of this process, and a worker process cannot see it: ${remedy}.`,
  );
}
