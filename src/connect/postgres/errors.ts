import { LostError, PawlError, TransientError } from "../../errors.ts";
import { explainAccess, isNetwork, oneLine, sqlState } from "../../postgres-errors.ts";
import { publicUrl } from "../../postgres-url.ts";

export { sqlState };

/**
 * - `row`: some row of the statement is to blame
 * - `transient`: trying again may help
 * - `permanent`: only a person can help
 */
export type Blame = "row" | "transient" | "permanent";

/** SQLSTATE classes and codes, from the appendix "PostgreSQL Error Codes" of its manual. */
const transientCodes = /^(08|53|57P0|40|55P03|55006|57014|58030|25P0[34]|F0|XX000$)/;
const permanentCodes = /^(0A|25|26|28|2B|34|3D|3F|42|55|57|58|72|HV|XX|0[1-9])/;
/**
 * Too large for an index page, too many columns, a policy or a trigger that refuses the row: the row's fault, although the
 * class says otherwise.
 */
const rowCodes = /^(22|23|54|42804|42501)/;

export function blame(error: unknown): Blame {
  const code = sqlState(error);
  if (code === null) return isNetwork(error) ? "transient" : "permanent";
  if (rowCodes.test(code)) return "row";
  if (transientCodes.test(code)) return "transient";
  // What is left are errors that triggers and functions raise about the row they are given.
  return permanentCodes.test(code) ? "permanent" : "row";
}

/**
 * Whether the server says that a right is missing. It says so of a row, too: one that a policy or a trigger refuses, or
 * whose trigger calls what the user may not.
 */
function isDenied(error: unknown): boolean {
  return sqlState(error) === "42501" && (error as { routine?: string }).routine === "aclcheck_error";
}

/** Throws where every row was refused for a missing right, and none was written: then it is no matter of the rows. */
export function assertNotDenied(errors: readonly unknown[]): void {
  if (errors.length > 0 && errors.every(isDenied)) throw errors[0];
}

/** One row's key meets a row that is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === "23505";
}

/** Two rows of one statement have the same key. */
export function isDuplicateInStatement(error: unknown): boolean {
  return sqlState(error) === "21000" && /ON CONFLICT|affect row a second time/.test((error as Error).message);
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
  if (blame(error) === "transient") {
    const advice =
      code === "53100" || code === "53200" ? ": free some space, the work goes on by itself" : "";
    return new TransientError(`postgres.${code}`, `${where} answered "${text}"${advice}.`, { cause: error });
  }
  return new PawlError(`postgres.${code}`, `${where} refused: ${text}.`, { cause: error });
}

function permanent(code: string, where: string, text: string): string | null {
  switch (code) {
    case "42P01":
      return `A table is gone at ${where} (${text}): it was there when the load began, so look who dropped it.`;
    case "25006":
      return `${where} is read-only (${text}): use the primary server.`;
    default:
      return null;
  }
}
