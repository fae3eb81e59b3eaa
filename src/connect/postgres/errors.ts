import pg from "pg";
import { LostError, PawlError, TransientError } from "../../errors.ts";
import { publicUrl } from "./url.ts";

/**
 * - `row`: some row of the statement is to blame
 * - `transient`: trying again may help
 * - `permanent`: only a person can help
 */
export type Blame = "row" | "transient" | "permanent";

/** SQLSTATE classes and codes, from the appendix "PostgreSQL Error Codes" of its manual. */
const transientCodes = /^(08|53|57P0|40|55P03|55006|57014|58030|25P0[34]|F0|XX000$)/;
const permanentCodes = /^(0A|25|26|28|2B|34|3D|3F|42|55|57|58|72|HV|XX|0[1-9])/;
/** Too large for an index page, too many columns: the row's fault, although the class says otherwise. */
const rowCodes = /^(22|23|54|42804)/;

export function blame(error: unknown): Blame {
  const code = sqlState(error);
  if (code === null) return isNetwork(error) ? "transient" : "permanent";
  if (rowCodes.test(code)) return "row";
  if (transientCodes.test(code)) return "transient";
  // What is left are errors that triggers and functions raise about the row they are given.
  return permanentCodes.test(code) ? "permanent" : "row";
}

/** The five characters of the standard, when the server (and not the network) reported the error. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError && error.code !== undefined ? error.code : null;
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
  if (code === null) return isNetwork(error) ? unreachable(error, where, text) : (error as Error);
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
    case "28P01":
      return `${where} refused the password: correct it in the URL or in PGPASSWORD.`;
    case "28000":
      return `${where} refused the login (${text}): check the user, or pg_hba.conf on the server.`;
    case "3D000":
      return `The database does not exist at ${where}: create it (createdb) or correct the name in the URL.`;
    case "42501":
      return `The user has no permission at ${where} (${text}): GRANT it, or use another user.`;
    case "42P01":
      return `A table is gone at ${where} (${text}): it was there when the load began, so look who dropped it.`;
    case "25006":
      return `${where} is read-only (${text}): use the primary server.`;
    default:
      return null;
  }
}

function unreachable(error: unknown, where: string, text: string): PawlError {
  if (/client password must be a string|password/i.test(text)) {
    return new PawlError(
      "postgres.password",
      `${where} asks for a password: put it in the URL or in PGPASSWORD.`,
    );
  }
  const { code } = error as NodeJS.ErrnoException;
  const advice =
    code === "ENOTFOUND"
      ? "there is no such host: correct the URL"
      : code === "ECONNREFUSED"
        ? "nothing listens there: start the server or correct the URL"
        : `${text}: check the server and the network`;
  return new TransientError("postgres.unreachable", `${where} cannot be reached, ${advice}.`, {
    cause: error,
  });
}

const networkCodes =
  /^(ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_[A-Z]+)$/;

/** The driver reports lost connections as plain errors without a code. */
function isNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined) return networkCodes.test(code) || syscall === "connect";
  return /^Connection terminated|^timeout expired|not queryable|client password|SSL conn/.test(error.message);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "");
}
