import { LostError, PawlError, TransientError } from "../../errors.ts";
import { explainAccess, isNetwork, oneLine, sqlState } from "../../postgres-errors.ts";
import { publicUrl } from "../../postgres-url.ts";
import { isTransientSqlState } from "../../transient-errors.ts";

/**
 * - `row`: some row of the statement is to blame
 * - `transient`: trying again may help
 * - `permanent`: only a person can help
 */
export type ErrorKind = "row" | "transient" | "permanent";

/** A server whose configuration or inside is in trouble: what a load waits for, since a restart may fix it. */
const serverTrouble = /^(F0|XX000$)/;
/** SQLSTATE classes and codes, from the appendix "PostgreSQL Error Codes" of its manual. */
const permanentCodes = /^(0A|25|26|28|2B|34|3D|3F|42|55|57|58|72|HV|XX|0[1-9])/;
/** Too large for an index page, too many columns: the row's fault, although the class says otherwise. */
const rowCodes = /^(22|23|54|42804)/;

export function kindOfError(error: unknown): ErrorKind {
  const code = sqlState(error);
  if (code === null) return isNetwork(error) ? "transient" : "permanent";
  if (rowCodes.test(code)) return "row";
  if (isTransientSqlState(code) || serverTrouble.test(code)) return "transient";
  // What is left are errors that triggers and functions raise about the row they are given.
  return permanentCodes.test(code) ? "permanent" : "row";
}

/** Turns anything that goes wrong with the server into an error that a person or the engine can act on. */
export function explain(error: unknown, url: string): Error {
  if (error instanceof PawlError || error instanceof LostError) return error;
  const where = publicUrl(url);
  const code = sqlState(error);
  const text = error instanceof Error ? oneLine(error.message) : String(error);
  const access = explainAccess(error, where);
  if (access !== null) return access;
  if (code === null) return error as Error;
  const known = permanent(code, where, text);
  if (known !== null) return new PawlError(`postgres.${code}`, known, { cause: error });
  if (kindOfError(error) === "transient") {
    const advice =
      code === "53100" || code === "53200" ? ": free some space, and the work continues by itself" : "";
    return new TransientError(`postgres.${code}`, `${where} answered "${text}"${advice}.`, { cause: error });
  }
  return new PawlError(`postgres.${code}`, `${where} refused: ${text}.`, { cause: error });
}

function permanent(code: string, where: string, text: string): string | null {
  switch (code) {
    case "42P01":
      return `A table is gone at ${where} (${text}): it was there when the run began; find out what dropped it, and create it again.`;
    case "25006":
      return `${where} is read-only (${text}): use the primary server.`;
    default:
      return null;
  }
}
