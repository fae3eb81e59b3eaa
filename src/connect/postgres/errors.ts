import pg from "pg";
import type { Failure } from "../../batch/contract.ts";
import { LostError, PawlError, TransientError } from "../../errors.ts";
import { explainAccess, isNetwork, oneLine, sqlState } from "../../postgres-errors.ts";
import { publicUrl } from "../../postgres-url.ts";
import { isTransientSqlState } from "../../transient-errors.ts";

export { sqlState };

/**
 * - `row`: some row of the statement is to blame
 * - `transient`: trying again may help
 * - `permanent`: only a person can help
 */
export type Blame = "row" | "transient" | "permanent";

/** A server whose configuration or inside is in trouble: what a load waits for, since a restart may fix it. */
const serverTrouble = /^(F0|XX000$)/;
/** SQLSTATE classes and codes, from the appendix "PostgreSQL Error Codes" of its manual. */
const permanentCodes = /^(0A|25|26|28|2B|34|3D|3F|42|55|57|58|72|HV|XX|0[1-9])/;
/** Too large for an index page, too many columns: the row's fault, although the class says otherwise. */
const rowCodes = /^(22|23|54|42804)/;
/** What a statement may not do, or names and is not there. A trigger may say so of single rows. */
const statementCodes = /^(42|0A000)/;

export function blame(error: unknown): Blame {
  const code = sqlState(error);
  if (code === null) return isNetwork(error) ? "transient" : "permanent";
  if (rowCodes.test(code)) return "row";
  if (isTransientSqlState(code) || serverTrouble.test(code)) return "transient";
  // What is left are errors that triggers and functions raise about the row they are given.
  return permanentCodes.test(code) ? "permanent" : "row";
}

/**
 * Whether an error may be about some rows only. Of one that speaks of the whole statement that shows once others can be
 * written: a policy refuses single rows with the code of a missing right, a trigger with whatever it runs into, or with any
 * code that it chooses.
 */
export function mayBeOfRows(error: unknown): boolean {
  const whose = blame(error);
  if (whose === "row" || statementCodes.test(sqlState(error) ?? "")) return true;
  const { severity, routine, where = "" } = error as { severity?: string; routine?: string; where?: string };
  // A function may also run into a deadlock or a full disk, which pass.
  return (
    severity === "ERROR" && (routine === RAISED || (whose === "permanent" && /\bfunction\b/.test(where)))
  );
}

/** Resolves with the server's error where some rows may be to blame, and with null where there is none; rejects with every other. */
export async function rowErrorOf(work: () => Promise<unknown>): Promise<Error | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (mayBeOfRows(error)) return error as Error;
    throw error;
  }
}

/** Where PL/pgSQL raises what a trigger says of a row. */
const RAISED = "exec_stmt_raise";
/** There, and where the server says that a policy refuses a row. */
const ofARow = new Set(["ExecWithCheckOptions", RAISED]);

/** Whether an error speaks of the whole statement, although it may be about some rows only. */
export function isOfStatement(error: unknown): boolean {
  const { routine = "" } = error as { routine?: string };
  return blame(error) !== "row" && !ofARow.has(routine);
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
      code === "53100" || code === "53200" ? ": free some space, and the work continues by itself" : "";
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

const longest = 500;

/** What a row's name in the source is, by its column in a staging table; null where it has none. */
type FieldNames = (staged: string) => string | null;

/** An item that the server refused, with the reason in one sentence; `field` names the value where that is known otherwise. */
export function failureOf(
  index: number,
  error: unknown,
  nameOf: FieldNames = () => null,
  field: string | null = null,
): Failure {
  const code = sqlState(error);
  return { index, reason: reasonOf(error, nameOf, field), ...(code === null ? {} : { code }) };
}

function reasonOf(error: unknown, nameOf: FieldNames, field: string | null): string {
  if (!(error instanceof pg.DatabaseError)) return error instanceof Error ? error.message : String(error);
  return shorten(describe(error, nameOf, field).replaceAll(/\s+/g, " ").trim());
}

function describe(error: pg.DatabaseError, nameOf: FieldNames, field: string | null): string {
  const column = error.column === undefined ? null : (nameOf(error.column) ?? error.column);
  const detail = error.detail?.replace(/\.$/, "");
  // A trigger may raise any code, without what the server itself says with it.
  const whole = error.code === "23502" ? column !== null : error.constraint !== undefined;
  switch (whole ? error.code : "raised") {
    case "23502":
      return `Column "${column}" may not be null.`;
    case "23503":
      return `Foreign key ${error.constraint} is violated: ${detail ?? error.message}.`;
    case "23505":
      return `Unique constraint ${error.constraint} is violated: ${detail ?? error.message}.`;
    case "23514":
      return `Check constraint ${error.constraint} is violated${ofDomain(error)}.`;
    case "23P01":
      return `Exclusion constraint ${error.constraint} is violated: ${detail ?? error.message}.`;
    default: {
      const staged = /, (?:column )?(c\d+)\b/.exec(error.where ?? "")?.[1];
      const name = staged === undefined ? field : nameOf(staged);
      const message = error.message.replace(/"(c\d+)"/, (whole, inner) => {
        const translated = nameOf(inner);
        return translated === null ? whole : `"${translated}"`;
      });
      return name === null ? `${capital(message)}.` : `Column "${name}": ${message}.`;
    }
  }
}

function ofDomain(error: pg.DatabaseError): string {
  return error.dataType === undefined ? "" : ` (domain ${error.dataType})`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function shorten(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}
