import { PawlError } from "../../../errors.ts";

/** A name in SQL, whatever is in it. Throws PawlError("data.name") for what DuckDB cannot have as one. */
export function quoteName(name: string): string {
  if (name === "" || name.includes("\0"))
    throw new PawlError(
      "data.name",
      "A column needs a name without NUL characters, of at least one character.",
    );
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in SQL, whatever is in it. */
export function quoteText(text: string): string {
  // A NUL ends a statement early, so it is put in as a character of its own.
  const parts = text.split("\0").map((part) => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? (parts[0] ?? "''") : `(${parts.join(" || chr(0) || ")})`;
}
