import pg from "pg";
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

/** Where PL/pgSQL raises what a trigger says of a row. */
const RAISED = "exec_stmt_raise";
/** There, and where the server says that a policy refuses a row. */
const ofARow = new Set(["ExecWithCheckOptions", RAISED]);

function isOfStatement(error: unknown): boolean {
  const { routine = "" } = error as { routine?: string };
  return blame(error) !== "row" && !ofARow.has(routine);
}

/** After so many rows that were refused for what no row is to blame for, and none that was written, it is no matter of rows. */
const enough = 32;

/** Throws where rows were refused for a reason that is not about them: where all were, or so many that more need not be tried. */
export function assertOfRows(refused: Iterable<unknown>, all: boolean): void {
  let count = 0;
  let first: unknown;
  for (const error of refused) {
    if (!isOfStatement(error)) return;
    if (count++ === 0) first = error;
  }
  if (count >= enough || (all && count > 0)) throw first;
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

const longest = 500;

/**
 * Why the server refused a row, as one sentence; `columnOf` translates a column of a staging table, and `field` is the name
 * of the value where that is known otherwise.
 */
export function reasonOf(
  error: unknown,
  columnOf: (staged: string) => string | null,
  field: string | null = null,
): string {
  if (!(error instanceof pg.DatabaseError)) return error instanceof Error ? error.message : String(error);
  return shorten(describe(error, columnOf, field).replaceAll(/\s+/g, " ").trim());
}

function describe(
  error: pg.DatabaseError,
  columnOf: (staged: string) => string | null,
  field: string | null,
): string {
  const column = error.column === undefined ? null : (columnOf(error.column) ?? error.column);
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
      const name = staged === undefined ? field : columnOf(staged);
      const message = error.message.replace(/"(c\d+)"/, (whole, inner) => {
        const translated = columnOf(inner);
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
