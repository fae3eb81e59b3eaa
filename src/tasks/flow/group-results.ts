import { randomUUID } from "node:crypto";
import { own, setOwn } from "../../own.ts";
import type { ChildRecord, Json, TaskStore } from "../../store/contract.ts";
import { JsonText, toJson } from "../../store/internal.ts";
import { metaOf } from "../task-meta.ts";
import type { GroupResultsAt, StoredValue } from "./spec.ts";

/** Results that are read from the store at once. */
const PAGE = 200;

/** The result or the failure of one member of a group. */
export interface MemberResult<R> {
  /** Its position in the group, from 0. */
  readonly index: number;
  /** The id of its task; where it is a flow, of the last task. */
  readonly task: string;
  /** How it ended: `succeeded`, `dead` (it failed for good) or `cancelled`. */
  readonly state: "succeeded" | "dead" | "cancelled";
  /** Null unless it succeeded. */
  readonly result: R | null;
  /** Why it failed; null where it succeeded. */
  readonly error: string | null;
}

/**
 * The results of a group, in the order of its members. They are read from the store page by page as they are asked for, so a
 * hundred thousand take no more memory than two hundred.
 *
 * @example
 * ```ts
 * task({ name: "total" }, async (parts: GroupResults<number>) => {
 *   let total = 0;
 *   for await (const part of parts) total += part;
 *   return total;
 * });
 * ```
 */
export class GroupResults<R> implements AsyncIterable<R> {
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
  async *records(): AsyncGenerator<MemberResult<R>, void, undefined> {
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

  /** While a value is turned into JSON to be stored, a placeholder for these results; otherwise the id of their group. */
  toJSON(): Json {
    if (!isTaking) return { group: this.group };
    placeholders ??= new Placeholders();
    return placeholders.add(this.group);
  }

  async *#read(states: readonly ChildRecord["state"][]): AsyncGenerator<MemberResult<R>, void, undefined> {
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
        const ended = state as MemberResult<R>["state"];
        const given = revived(result, metaOf(meta).resultGroups, this.#store);
        yield { index, task, state: ended, result: given as R | null, error };
      }
      if (page.length < PAGE) return;
      afterIndex = page.at(-1)?.index;
    }
  }
}

/** An object or an array within a value. */
type Holder = Record<string, unknown>;

/** A value from the store as programs and handlers get it: with `GroupResults` where they stood. */
export function revived(
  value: Json,
  groups: readonly GroupResultsAt[] | undefined,
  store: () => Promise<TaskStore>,
): unknown {
  const whole: Holder = { value };
  for (const { at, group } of groups ?? []) {
    let holder: Holder = whole;
    let name = "value";
    for (const next of at) {
      holder = own(holder, name) as Holder;
      name = String(next);
    }
    setOwn<unknown>(holder, name, new GroupResults(group, store));
  }
  return whole.value;
}

/** The placeholders for results of groups in a value that is being turned into JSON. */
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
    const groups: GroupResultsAt[] = [];
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
          groups.push({ at: at.slice(1), group });
        } else if (typeof value === "object" && value !== null) open.push({ part: value, at });
      }
    }
    return { value: JsonText.of(whole.value), groups };
  }

  #groupOf(value: unknown): string | undefined {
    if (typeof value !== "string" || !value.startsWith(`${this.#secret}/`)) return undefined;
    return this.#groups[Number(value.slice(this.#secret.length + 1))];
  }
}

/** Whether a value is being turned into JSON to be stored, and its placeholders once it has results of groups. */
let isTaking = false;
let placeholders: Placeholders | undefined;

/** A value that was turned into JSON. */
export interface TakenValue extends StoredValue {
  readonly value: JsonText;
}

/**
 * Turns a value into JSON, and keeps beside it where results of groups stood. Throws what `toJson` throws; undefined where that
 * gives undefined.
 */
export function withGroupsBeside(value: unknown): TakenValue | undefined {
  // A `toJSON` of the program may turn another value into JSON meanwhile.
  const outerIsTaking = isTaking;
  const outerPlaceholders = placeholders;
  isTaking = true;
  placeholders = undefined;
  try {
    const text = toJson(value);
    if (text === undefined) return undefined;
    // Set by `GroupResults.toJSON` meanwhile, which the compiler cannot see.
    const met = placeholders as Placeholders | undefined;
    return met === undefined ? { value: new JsonText(text) } : met.takeOut(text);
  } finally {
    isTaking = outerIsTaking;
    placeholders = outerPlaceholders;
  }
}
