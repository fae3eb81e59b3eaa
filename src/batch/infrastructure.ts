import { PawlError, TransientError } from "../errors.ts";

/** Codes of Node and of the operating system for things that come back: connections, names, full disks. */
const PASSING = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EAI_AGAIN",
  "ENOSPC",
  "EDQUOT",
  "EIO",
  "EMFILE",
  "ENFILE",
  "EBUSY",
]);

/** Causes are followed so far: they may refer to each other in a ring. */
const DEEPEST = 16;

/** Whether trying again may help: a TransientError, or a system error of the passing kind anywhere in its causes. */
export function isTransient(error: unknown): boolean {
  try {
    let at = error;
    for (let depth = 0; depth < DEEPEST && at instanceof Error; depth++) {
      if (at instanceof TransientError) return true;
      if (at instanceof PawlError) return false;
      const code = (at as { code?: unknown }).code;
      if (typeof code === "string" && (PASSING.has(code) || code.startsWith("UND_ERR_"))) return true;
      at = at.cause;
    }
  } catch {
    // What cannot even be looked at, such as a revoked proxy, is nothing that passes.
  }
  return false;
}
