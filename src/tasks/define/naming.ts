import { PawlError } from "../../errors.ts";

/** What stands in an index of the store must be short. */
const MOST_CHARACTERS = 255;

/**
 * Throws a PawlError unless it is a text that every store can keep as a name. PostgreSQL has no form for a NUL or for
 * half a character, so what would be refused there, with all that is stored in the same step, is refused everywhere.
 */
export function namingText(text: unknown, what: string, code: string): asserts text is string {
  if (typeof text !== "string" || text === "") {
    const given = text === "" ? "an empty one" : `a value of type ${typeof text}`;
    throw new PawlError(code, `${what} must be a text, not ${given}.`);
  }
  if (text.length > MOST_CHARACTERS) {
    throw new PawlError(
      code,
      `${what} has ${text.length} characters, and at most ${MOST_CHARACTERS} can be stored: make it shorter.`,
    );
  }
  if (text.includes("\0") || !text.isWellFormed()) {
    throw new PawlError(
      code,
      `${what} has a character that cannot be stored (a NUL, or half of a pair): leave it out.`,
    );
  }
}
