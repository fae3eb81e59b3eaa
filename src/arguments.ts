import { errorText } from "./error-text.ts";
import { PawlError } from "./errors.ts";
import { suggest } from "./near-names.ts";
import { own } from "./own.ts";

/** Characters of a wrong argument that its sentence shows. */
const SHOWN = 60;

/** A value in a few words, whatever it is: for the sentence that refuses it. */
export function shown(value: unknown): string {
  if (typeof value === "bigint" || typeof value === "symbol") return value.toString();
  return errorText(value, SHOWN);
}

/** The same with a text in quotes, where it stands for a name or a value that was chosen. */
export function quoted(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, SHOWN)) : shown(value);
}

/** Throws the PawlError `argument.object` for what a program in JavaScript may give in place of an object. `what` begins the sentence. */
export function assertObject(value: unknown, what: string): asserts value is object {
  if (typeof value === "object" && value !== null) return;
  throw new PawlError("argument.object", `${what} must be an object, not ${shown(value)}.`);
}

/** The same with the PawlError `argument.text`. */
export function assertText(value: unknown, what: string): asserts value is string {
  if (typeof value === "string") return;
  throw new PawlError("argument.text", `${what} must be a text, not ${shown(value)}.`);
}

/** A method by which something is known. */
type Method =
  | "changes"
  | "claim"
  | "describe"
  | "map"
  | "open"
  | "query"
  | "queues"
  | "schedules"
  | "throwIfAborted"
  | "workers";

/** The same for what has methods, such as an open store, with the PawlError `argument.methods`. */
export function assertMethods(value: unknown, method: Method, what: string): void {
  if (typeof (value as Partial<Record<Method, unknown>> | null | undefined)?.[method] === "function") return;
  throw new PawlError("argument.methods", `${what}, not ${shown(value)}.`);
}

/** The names of all options of a type, which the compiler keeps complete. */
export type OptionNames<T> = Readonly<Record<keyof T & string, true>>;

/**
 * Throws the PawlError `argument.object` for what is not an object, and `argument.option` for an option that is not known: it would
 * be dropped in silence, so that a typo of `where` would mean every row. `what` is what they are options of, such as "csv".
 */
export function assertOptions<T extends object>(options: T, names: OptionNames<T>, what: string): void {
  assertObject(options, `The options of ${what}`);
  const known = Object.keys(names);
  const unknown = unknownOption(options, known);
  if (unknown === null) return;
  throw new PawlError(
    "argument.option",
    `There is no option ${quoted(unknown)} of ${what}: ${suggest(unknown, known, `there are ${known.join(", ")}.`)}`,
  );
}

/** The first name of an option that has a value and is none of those known; null where there is none. */
export function unknownOption(options: object, known: readonly string[]): string | null {
  // Most have no names at all, which this finds without a list of them.
  for (const name in options)
    if (!known.includes(name) && own(options as Record<string, unknown>, name) !== undefined) return name;
  return null;
}
