import type { Json, MemberRecord, TaskStore } from "../../store/contract.ts";

/** What stands in the place of the members of a join where a value is stored. */
const MARK = "pawl:members";

/** Members that are read from the store at once. */
const PAGE = 200;

/** The form in which the members of a join are passed on. */
export function membersMark(join: string): Json {
  return { [MARK]: join };
}

/** The join whose members a stored value stands for; undefined for any other value. */
function markedJoin(value: Json): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const join = (value as Record<string, Json>)[MARK];
  return typeof join === "string" && Object.keys(value).length === 1 ? join : undefined;
}

/** What became of one member of a group. */
export interface Member<R> {
  /** Its place in the group, from 0. */
  readonly index: number;
  /** The id of its task; of a flow, of the task at its end. */
  readonly task: string;
  readonly state: "succeeded" | "dead" | "cancelled";
  /** Null unless it succeeded. */
  readonly result: R | null;
  readonly error: string | null;
}

/**
 * The results of a group, in the order of its members. They are read from the store as they are asked for, so a
 * hundred thousand take no more memory than two hundred.
 */
export class Members<R> implements AsyncIterable<R> {
  readonly join: string;
  readonly #store: () => Promise<TaskStore>;

  /** For flows; a program gets them from a group. */
  constructor(join: string, store: () => Promise<TaskStore>) {
    this.join = join;
    this.#store = store;
  }

  /** Results of the members that succeeded. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    for await (const member of this.#read(["succeeded"])) yield member.result as R;
  }

  /** Every member that has ended, with what became of it. */
  async *records(): AsyncGenerator<Member<R>, void, undefined> {
    yield* this.#read(["succeeded", "dead", "cancelled"]);
  }

  /** All results at once; only where there are few. */
  async all(): Promise<R[]> {
    const results: R[] = [];
    for await (const result of this) results.push(result);
    return results;
  }

  /** How many members there are, and what has become of them. */
  async counts(): Promise<{ members: number | null; succeeded: number; failed: number }> {
    const record = await (await this.#store()).join(this.join);
    return {
      members: record?.members ?? null,
      succeeded: record?.succeeded ?? 0,
      failed: record?.failed ?? 0,
    };
  }

  /** Stored, it becomes a reference to the same members. */
  toJSON(): Json {
    return membersMark(this.join);
  }

  async *#read(states: readonly MemberRecord["state"][]): AsyncGenerator<Member<R>, void, undefined> {
    const store = await this.#store();
    let afterIndex: number | undefined;
    for (;;) {
      const page = await store.members(this.join, {
        ...(afterIndex === undefined ? {} : { afterIndex }),
        limit: PAGE,
        states,
      });
      for (const { index, task, state, result, error } of page) {
        const ended = state as Member<R>["state"];
        yield { index, task, state: ended, result: result as R | null, error };
      }
      if (page.length < PAGE) return;
      afterIndex = page.at(-1)?.index;
    }
  }
}

/** A stored value as it is given to people and handlers: with members that can be read. */
export function revived(value: Json, store: () => Promise<TaskStore>): unknown {
  const join = markedJoin(value);
  return join === undefined ? value : new Members(join, store);
}
