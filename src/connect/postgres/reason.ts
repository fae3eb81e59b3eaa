import pg from "pg";

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
