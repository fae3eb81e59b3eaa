import { inspect } from "node:util";
import { isNativeError, isProxy } from "node:util/types";

/** Characters of an error's text that are kept; the log has all of it. */
export const LONGEST_ERROR_TEXT = 4_096;

/** Characters of a stack that are kept. */
const LONGEST_STACK = 16_384;

/** As many properties of an object that is not an error are named. */
const MOST_KEYS = 20;

/** As many parts of an AggregateError are named, and so deep. */
const MOST_PARTS = 5;
const DEEPEST = 3;

/**
 * What a thrown value says, as text that can be stored and shown: at most `longest` characters, without NUL and without
 * half characters. Never throws, whatever was thrown: a symbol, a revoked proxy, an object without a prototype, an error
 * whose message is not a text or whose getters throw.
 *
 * @example
 * ```ts
 * errorText(new Error("the disk is full")); // "the disk is full"
 * errorText(new TypeError("")); // "TypeError"
 * errorText(Symbol("why")); // "Symbol(why)"
 * ```
 */
export function errorText(thrown: unknown, longest: number = LONGEST_ERROR_TEXT): string {
  return tidy(textOf(thrown, DEEPEST), longest);
}

/** The same without a full stop at its end, for a sentence that continues after it. */
export function errorReason(thrown: unknown): string {
  return withoutFullStop(errorText(thrown));
}

/** The stack of a thrown error, as bounded and as safe as its text; the text alone where there is no stack. */
export function errorStack(thrown: unknown, longest: number = LONGEST_STACK): string {
  const stack = isError(thrown) ? read(thrown, "stack") : undefined;
  return typeof stack === "string" && stack !== "" ? tidy(stack, longest) : errorText(thrown, longest);
}

/** The thrown value itself where it is an error that can be read as one; otherwise an error with its text. */
export function asError(thrown: unknown): Error {
  const isReadable =
    isError(thrown) && (["name", "message", "stack"] as const).every((key) => isText(read(thrown, key)));
  return isReadable ? (thrown as Error) : new Error(errorText(thrown));
}

/** `instanceof`, for what was thrown: a revoked proxy is of no class, where the operator itself would throw. */
export function isOf<T>(thrown: unknown, kind: abstract new (...values: never[]) => T): thrown is T {
  try {
    return thrown instanceof kind;
  } catch {
    return false;
  }
}

/** Errors of other realms too, such as those of `node:vm`. */
function isError(thrown: unknown): thrown is Error {
  return isOf(thrown, Error) || isNativeError(thrown);
}

function textOf(thrown: unknown, depth: number): string {
  if (isText(thrown)) return thrown.trim() === "" ? `'${thrown}'` : thrown;
  if (thrown === null || (typeof thrown !== "object" && typeof thrown !== "function")) return String(thrown);
  const message = read(thrown, "message");
  if (isText(message) && message.trim() !== "") return message;
  if (!isError(thrown)) return look(thrown);
  // As a message that is an object usually comes from a service's answer.
  if (message !== undefined && message !== null && !isText(message)) return look(message);
  const parts = depth > 0 ? partsOf(thrown).map((each) => textOf(each, depth - 1)) : [];
  if (parts.length > 0) return parts.join("; ");
  const name = read(thrown, "name");
  return isText(name) && name.trim() !== "" ? name : "Error";
}

/** A connection that was refused at every address of a name: its parts say why, and the whole says nothing. */
function partsOf(thrown: Error): unknown[] {
  try {
    const { errors } = thrown as AggregateError;
    return Array.isArray(errors) ? errors.slice(0, MOST_PARTS) : [];
  } catch {
    return [];
  }
}

/** A value in short. Runs no code of the value's own: no getter, no toString, no trap of a proxy. */
function look(value: unknown): string {
  try {
    return inspect(fewOf(value), {
      depth: 1,
      customInspect: false,
      getters: false,
      showProxy: true,
      maxArrayLength: MOST_KEYS,
      maxStringLength: LONGEST_ERROR_TEXT,
      breakLength: Number.POSITIVE_INFINITY,
    });
  } catch {
    return "a value that cannot be shown";
  }
}

/** Of an object with very many properties only the first ones, which is as much as a person would read. */
function fewOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || isProxy(value) || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  if (keys.length <= MOST_KEYS) return value;
  const few = Object.create(null);
  for (const key of keys.slice(0, MOST_KEYS)) {
    Object.defineProperty(few, key, Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor);
  }
  return few;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** An accessor may throw, and a proxy. */
function read(value: object, key: "message" | "name" | "stack"): unknown {
  try {
    return (value as Partial<Error>)[key];
  } catch {
    return undefined;
  }
}

/** PostgreSQL keeps no NUL in a text, and SQLite reads it as the end of one; it is shown as the picture of a null. */
function tidy(text: string, longest: number): string {
  const bounded = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return bounded.toWellFormed().replaceAll("\0", "\u2400");
}

/** A sentence as a part of another one. */
export function withoutFullStop(sentence: string): string {
  return sentence.replace(/\.$/, "");
}
