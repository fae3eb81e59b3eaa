import pg from "pg";
import { withoutFullStop } from "./error-text.ts";
import { PawlError, TransientError } from "./errors.ts";
import { isNetworkCode } from "./transient-errors.ts";

/** The five characters of the standard, when the server (and not the network) reported the error. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError && error.code !== undefined ? error.code : null;
}

/** The driver reports lost connections as plain errors without a code. */
export function isNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined) return isNetworkCode(code) || syscall === "connect";
  return /^Connection terminated|^timeout e|^Query read timeout|not queryable|client password|SSL conn/.test(
    error.message,
  );
}

/** A message as part of a sentence. */
export function oneLine(text: string): string {
  return withoutFullStop(text.replaceAll(/\s+/g, " ").trim());
}

/** One sentence for what prevents all work with a server; null for every other error. */
export function explainAccess(error: unknown, where: string): PawlError | null {
  const code = sqlState(error);
  const text = error instanceof Error ? oneLine(error.message) : String(error);
  if (code === null) return isNetwork(error) ? unreachable(error, where, text) : null;
  const cause = { cause: error };
  switch (code) {
    case "28P01":
      return new PawlError(
        `postgres.${code}`,
        `${where} refused the password: correct it in the URL or in PGPASSWORD.`,
        cause,
      );
    case "28000":
      return new PawlError(
        `postgres.${code}`,
        `${where} refused the login (${text}): check the user, or pg_hba.conf on the server.`,
        cause,
      );
    case "3D000":
      return new PawlError(
        `postgres.${code}`,
        `The database does not exist at ${where}: create it (createdb) or correct the name in the URL.`,
        cause,
      );
    case "42501":
      return new PawlError(
        `postgres.${code}`,
        `The user has no permission at ${where} (${text}): GRANT it, or use another user.`,
        cause,
      );
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
