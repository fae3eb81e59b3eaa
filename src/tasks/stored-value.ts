import { randomUUID } from "node:crypto";
import { errorText } from "../error-text.ts";
import { PawlError } from "../errors.ts";
import { own, setOwn } from "../own.ts";
import type { ChildRecord, Json, TaskStore } from "../store/contract.ts";
import { JsonText, toJson } from "../store/internal.ts";
import { parseInput, type Schema } from "./define/schema.ts";
import { type MembersAt, metaOf, type StoredValue } from "./task-meta.ts";

/** The type of a value after it was stored as JSON: a date is a text, a method is gone, undefined is null. */
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
 * The one way from a value to what is stored: its JSON at this moment, whatever happens to the value later. The size that
 * is checked is that of the JSON which is stored. Throws a PawlError where JSON cannot express it (`task.not-json`), or where it is
 * more than the store should hold (`task.too-large`). `what` is such as `The input of task "x"`.
 */
export function take(value: unknown, what: string, mostBytes = MOST_BYTES): TakenValue {
  if (value === undefined || value === null) return NOTHING;
  let taken: TakenValue | undefined;
  try {
    taken = withMembersBeside(value);
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
  { value, members }: StoredValue,
  name: string,
  store: () => Promise<TaskStore>,
): Promise<void> {
  const input = revived(JsonText.of(value).value(), members, store);
  // The results of a group are not plain data that a schema could parse.
  if (!(input instanceof Members)) await parseInput(schema, input, name);
}

const NOTHING: TakenValue = { value: new JsonText("null") };

function notJson(what: string, why: string): PawlError {
  return new PawlError(
    "task.not-json",
    `${what} cannot be stored as JSON (${why.replace(/\.$/, "")}): use plain data.`,
  );
}

function megabytes(bytes: number): string {
  return (Math.ceil((bytes / 1024 ** 2) * 10) / 10).toString();
}

/** Members that are read from the store at once. */
const PAGE = 200;

/** The result or the failure of one member of a group. */
export interface Member<R> {
  /** Its position in the group, from 0. */
  readonly index: number;
  /** The id of its task; where it is a flow, of the last task. */
  readonly task: string;
  readonly state: "succeeded" | "dead" | "cancelled";
  /** Null unless it succeeded. */
  readonly result: R | null;
  readonly error: string | null;
}

/**
 * The results of a group, in the order of its members. They are read from the store page by page as they are asked for, so a
 * hundred thousand take no more memory than two hundred.
 *
 * @example
 * ```ts
 * task({ name: "total" }, async (parts: Members<number>) => {
 *   let total = 0;
 *   for await (const part of parts) total += part;
 *   return total;
 * });
 * ```
 */
export class Members<R> implements AsyncIterable<R> {
  /** The id of the group, which is that of its callback. */
  readonly group: string;
  readonly #store: () => Promise<TaskStore>;

  /** For handlers and handles, which make it; a program does not. */
  constructor(group: string, store: () => Promise<TaskStore>) {
    this.group = group;
    this.#store = store;
  }

  /** Results of the members that succeeded. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    for await (const member of this.#read(["succeeded"])) yield member.result as R;
  }

  /** Every member that has ended, also those that failed or were cancelled. */
  async *records(): AsyncGenerator<Member<R>, void, undefined> {
    yield* this.#read(["succeeded", "dead", "cancelled"]);
  }

  /** The results of the members that succeeded, in one array: for small groups. */
  async all(): Promise<R[]> {
    const results: R[] = [];
    for await (const result of this) results.push(result);
    return results;
  }

  /** How many members there are (null while they are still being stored), and how many succeeded and failed. */
  async counts(): Promise<{ members: number | null; succeeded: number; failed: number }> {
    const record = await (await this.#store()).group(this.group);
    return {
      members: record?.children ?? null,
      succeeded: record?.succeeded ?? 0,
      failed: record?.failed ?? 0,
    };
  }

  /** While a value is turned into JSON to be stored, a placeholder for these members; otherwise the id of their group. */
  toJSON(): Json {
    if (!taking) return { group: this.group };
    placeholders ??= new Placeholders();
    return placeholders.add(this.group);
  }

  async *#read(states: readonly ChildRecord["state"][]): AsyncGenerator<Member<R>, void, undefined> {
    const store = await this.#store();
    let afterIndex: number | undefined;
    for (;;) {
      const page = await store.children(this.group, {
        ...(afterIndex === undefined ? {} : { afterIndex }),
        limit: PAGE,
        states,
        withMeta: true,
      });
      for (const { index, task, state, result, error, meta = null } of page) {
        const ended = state as Member<R>["state"];
        const given = revived(result, metaOf(meta).resultMembers, this.#store);
        yield { index, task, state: ended, result: given as R | null, error };
      }
      if (page.length < PAGE) return;
      afterIndex = page.at(-1)?.index;
    }
  }
}

/** An object or an array within a value. */
type Holder = Record<string, unknown>;

/** A value from the store as programs and handlers get it: with `Members` at the places of group members. */
export function revived(
  value: Json,
  members: readonly MembersAt[] | undefined,
  store: () => Promise<TaskStore>,
): unknown {
  const whole: Holder = { value };
  for (const { at, group } of members ?? []) {
    let holder: Holder = whole;
    let name = "value";
    for (const next of at) {
      holder = own(holder, name) as Holder;
      name = String(next);
    }
    setOwn<unknown>(holder, name, new Members(group, store));
  }
  return whole.value;
}

/** The placeholders of group members in a value that is being turned into JSON. */
class Placeholders {
  /** Random, so that no data can look like one of these placeholders. */
  readonly #secret = randomUUID();
  readonly #groups: string[] = [];

  add(group: string): string {
    this.#groups.push(group);
    return `${this.#secret}/${this.#groups.length - 1}`;
  }

  /** Takes the placeholders out of the JSON, and says where they stood. */
  takeOut(text: string): TakenValue {
    const members: MembersAt[] = [];
    const whole = { value: JSON.parse(text) as unknown };
    const open: { readonly part: object; readonly at: readonly (string | number)[] }[] = [
      { part: whole, at: [] },
    ];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const [name, value] of Object.entries(next.part)) {
        const at = [...next.at, Array.isArray(next.part) ? Number(name) : name];
        const group = this.#groupOf(value);
        if (group !== undefined) {
          Object.defineProperty(next.part, name, { value: null });
          members.push({ at: at.slice(1), group });
        } else if (typeof value === "object" && value !== null) open.push({ part: value, at });
      }
    }
    return { value: JsonText.of(whole.value), members };
  }

  #groupOf(value: unknown): string | undefined {
    if (typeof value !== "string" || !value.startsWith(`${this.#secret}/`)) return undefined;
    return this.#groups[Number(value.slice(this.#secret.length + 1))];
  }
}

/** A value that was turned into JSON. */
export interface TakenValue extends StoredValue {
  readonly value: JsonText;
}

/** Whether a value is being turned into JSON by `take`, and its placeholders once it has members. */
let taking = false;
let placeholders: Placeholders | undefined;

/**
 * Turns a value into JSON, with the places of group members beside it. Throws what `toJson` throws; undefined where
 * that gives undefined.
 */
function withMembersBeside(value: unknown): TakenValue | undefined {
  // A `toJSON` of the program may call `take` for another value.
  const outerTaking = taking;
  const outerPlaceholders = placeholders;
  taking = true;
  placeholders = undefined;
  try {
    const text = toJson(value);
    if (text === undefined) return undefined;
    // Set by `Members.toJSON` meanwhile, which the compiler cannot see.
    const met = placeholders as Placeholders | undefined;
    return met === undefined ? { value: new JsonText(text) } : met.takeOut(text);
  } finally {
    taking = outerTaking;
    placeholders = outerPlaceholders;
  }
}
