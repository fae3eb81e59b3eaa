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

/** Whether trying again may help: a TransientError, or a system error of the passing kind anywhere in its causes. */
export function isTransient(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof TransientError) return true;
    if (at instanceof PawlError) return false;
    const code = (at as { code?: unknown }).code;
    if (typeof code === "string" && (PASSING.has(code) || code.startsWith("UND_ERR_"))) return true;
  }
  return false;
}
