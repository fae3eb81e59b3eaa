import { errorText, withoutFullStop } from "../error-text.ts";
import { PawlError } from "../errors.ts";
import type { TaskStore } from "../store/contract.ts";
import { JsonText } from "../store/internal.ts";
import { parseInput, type Schema } from "./define/schema.ts";
import { type GroupResults, revived, type TakenValue, withGroupsBeside } from "./flow/group-results.ts";
import type { StoredValue } from "./flow/spec.ts";

/** The type of a value after it was stored as JSON: a date is a text, a method is gone, undefined is null. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that gives nothing
export type Stored<T> = 0 extends 1 & T ? T : [T] extends [undefined | void] ? null : Part<T>;

type Part<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends GroupResults<unknown>
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
 * The one way from a value to what is stored: its JSON at this moment, whatever happens to the value later. The size that
 * is checked is that of the JSON which is stored. Throws a PawlError where JSON cannot express it (`task.not-json`), or where it is
 * more than the store should hold (`task.too-large`). `what` is such as `The input of task "x"`.
 */
export function take(value: unknown, what: string, mostBytes = MOST_BYTES): TakenValue {
  if (value === undefined || value === null) return NOTHING;
  let taken: TakenValue | undefined;
  try {
    taken = withGroupsBeside(value);
  } catch (error) {
    throw notJson(what, errorText(error).split("\n", 1)[0] ?? "");
  }
  if (taken === undefined) throw notJson(what, "its toJSON gives undefined");
  const { text } = taken.value;
  // UTF-8 has at most three bytes for each unit of a string's length.
  const bytes = text.length * 3 <= mostBytes ? 0 : Buffer.byteLength(text);
  if (bytes > mostBytes) {
    throw new PawlError(
      "task.too-large",
      `${what} is ${megabytes(bytes)} MB as JSON, and at most ${megabytes(MOST_BYTES)} MB can be stored: keep it elsewhere, and pass where it is.`,
    );
  }
  return taken;
}

/** Checks an input as its handler will get it, after JSON: a date is a text then. Throws the PawlError `task.input`. */
export async function checkInput(
  schema: Schema,
  { value, groups }: StoredValue,
  name: string,
  store: () => Promise<TaskStore>,
): Promise<void> {
  const input = revived(JsonText.of(value).value(), groups, store);
  await parseInput(schema, input, name);
}

const NOTHING: TakenValue = { value: new JsonText("null") };

function notJson(what: string, why: string): PawlError {
  return new PawlError(
    "task.not-json",
    `${what} cannot be stored as JSON (${withoutFullStop(why)}): use plain data.`,
  );
}

function megabytes(bytes: number): string {
  return (Math.ceil((bytes / 1024 ** 2) * 10) / 10).toString();
}
