import pg from "pg";
import type { Failure } from "../../../batch/contract.ts";
import { sqlState } from "../../../postgres-errors.ts";
import { kindOfError } from "../errors.ts";

/** What a statement may not do, or names and is not there. A trigger may say so of single rows. */
const statementCodes = /^(42|0A000)/;

/**
 * Whether an error may be about some rows only. Of one that speaks of the whole statement that shows once others can be
 * written: a policy refuses single rows with the code of a missing right, a trigger with whatever it runs into, or with any
 * code that it chooses.
 */
export function mayBeOfRows(error: unknown): boolean {
  const whose = kindOfError(error);
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
  return kindOfError(error) !== "row" && !ofARow.has(routine);
}

/** One row's key meets a row that is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === "23505";
}

/** Two rows of one statement have the same key. */
export function isDuplicateInStatement(error: unknown): boolean {
  return sqlState(error) === "21000" && /ON CONFLICT|affect row a second time/.test((error as Error).message);
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
