import { PawlError } from "../errors.ts";
import type { Json } from "../store/contract.ts";
import type { Members } from "./flow/members.ts";

/** What is left of a value that was stored as JSON: a date is text then, a method is gone. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that gives nothing
export type Stored<T> = 0 extends 1 & T ? T : [T] extends [undefined | void] ? null : Part<T>;

type Part<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends Members<unknown>
    ? T
    : T extends { toJSON(): infer J }
      ? Part<J>
      : T extends bigint | symbol | ((...args: never[]) => unknown)
        ? never
        : T extends object
          ? { [K in keyof T]: Part<T[K]> }
          : T;

/** Bytes of JSON that an input or a result may have. */
const MOST_BYTES = 1024 * 1024;

/**
 * The value as it will be stored. Throws a PawlError where JSON cannot express it (`task.not-json`), or where it is
 * more than the store shall hold (`task.too-large`). `what` is such as `The input of task "x"`.
 */
export function storable(value: unknown, what: string): Json {
  return measured(value, what).value;
}

/** The same, and how many characters it has as JSON. */
export function measured(value: unknown, what: string): { value: Json; size: number } {
  if (value === undefined || value === null || typeof value === "boolean")
    return { value: value ?? null, size: 4 };
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw notJson(what, error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error));
  }
  if (text === undefined) throw notJson(what, `a ${typeof value} has no form in it`);
  // UTF-8 has at most three bytes for each unit of a string's length.
  const bytes = text.length * 3 <= MOST_BYTES ? 0 : Buffer.byteLength(text);
  if (bytes > MOST_BYTES) {
    throw new PawlError(
      "task.too-large",
      `${what} is ${megabytes(bytes)} MB as JSON, and at most ${megabytes(MOST_BYTES)} MB can be stored: keep it elsewhere, and pass where it is.`,
    );
  }
  return { value: value as Json, size: text.length };
}

function notJson(what: string, why: string): PawlError {
  return new PawlError(
    "task.not-json",
    `${what} cannot be stored as JSON (${why.replace(/\.$/, "")}): use plain data.`,
  );
}

function megabytes(bytes: number): string {
  return (Math.ceil((bytes / 1024 ** 2) * 10) / 10).toString();
}
