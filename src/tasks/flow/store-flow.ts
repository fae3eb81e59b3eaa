import type { NewTask, Store } from "../../store/contract.ts";
import { taskNamed } from "../define/registry.ts";
import { checkInput, take } from "../stored-value.ts";
import { type Trace, withTrace } from "../task-meta.ts";
import { type AnyLink, type Composed, nodeOf, passIn, queueOf, type Streamed } from "./link.ts";
import { exitOf, heldCallback, type Position, type Unfolded, unfold, unfoldMember } from "./next-tasks.ts";
import { SameFlow } from "./same-flow.ts";
import type { GroupSpec, LinkSpec, NodeSpec, StoredValue } from "./spec.ts";

export interface StoreFlowOptions {
  readonly delayMs?: number;
  readonly tx?: unknown;
  /** The trace that it is enqueued in. */
  readonly trace: Trace | null;
  /** Its id follows from a key: when storing it is interrupted, the caller can continue by storing it again. */
  readonly repeatable: boolean;
}

/** Members up to which a group is stored in one step. */
const ONE_STEP = 500;

/** Stores a flow under an id, with the input of its first link. True when it is new. */
export async function storeFlow(
  store: Store,
  { node: whole, streamed }: Composed,
  id: string,
  input: StoredValue,
  options: StoreFlowOptions,
): Promise<boolean> {
  if (streamed !== null) return await new FlowStream(store, id, input, options).run(streamed);
  if (whole === null) throw new TypeError("A flow without links cannot be stored.");
  const node = startsLater(whole, options);
  const [first, ...after] = node;
  if (
    first !== undefined &&
    "members" in first &&
    first.members.length > ONE_STEP &&
    options.tx === undefined
  ) {
    const { members, need, callback } = first;
    const links = members.map((member) => ({ compose: () => ({ node: member, streamed: null }) }));
    const stream: Streamed = { members: links, need, callback, queue: callback.queue, after };
    return await new FlowStream(store, id, input, options).run(stream);
  }
  await checkFlow(store, node, input);
  const into: Unfolded = { tasks: [], groups: [] };
  unfold(node, { flow: id, base: id, stage: 1 }, input, into);
  // A different flow under the same key must not become part of the stored one, nor links that were removed after
  // their retention.
  if (options.repeatable && (await store.query({ flow: id }, { limit: 1 })).length > 0) {
    const group = exitOf({ flow: id, base: id, stage: 1 }, after.length);
    await new SameFlow(store, id, group).assertKinds(into.tasks);
    return false;
  }
  const { tx } = options;
  const created = await store.enqueue(
    into.tasks.map((task) => toStore(task, options)),
    {
      groups: into.groups,
      ...(tx === undefined ? {} : { tx }),
    },
  );
  return created.length > 0;
}

/** Stores the members of a group as they are read, some hundred at a time. */
class FlowStream {
  readonly #store: Store;
  readonly #id: string;
  readonly #input: StoredValue;
  readonly #options: StoreFlowOptions;
  #batch: Unfolded = { tasks: [], groups: [] };
  #whole: boolean | undefined;
  #same: SameFlow | undefined;

  constructor(store: Store, id: string, input: StoredValue, options: StoreFlowOptions) {
    this.#store = store;
    this.#id = id;
    this.#input = input;
    this.#options = options;
  }

  async run(streamed: Streamed): Promise<boolean> {
    if (this.#options.tx !== undefined) return await this.#atOnce(streamed);
    const at: Position = { flow: this.#id, base: this.#id, stage: 1 };
    const group = exitOf(at, streamed.after.length);
    take(streamed.after, "What follows in a flow");
    await checkFixed(
      this.#store,
      streamed.callback === null ? streamed.after : [streamed.callback, ...streamed.after],
    );
    let created: boolean | undefined;
    let index = 0;
    try {
      for await (const link of streamed.members) {
        const member = startsLater(nodeOf(link as AnyLink), this.#options);
        await checkFlow(this.#store, member, this.#input);
        created ??= await this.#begin(streamed, at, group, member);
        unfoldMember(member, { at, group, index: index++ }, this.#input, this.#batch);
        if (this.#batch.tasks.length >= ONE_STEP) await this.#flush(created, group);
      }
      if (created === undefined && this.#options.delayMs !== undefined)
        return await this.#storeEmpty(streamed);
      created ??= await this.#begin(streamed, at, group, undefined);
      await this.#flush(created, group);
      if (!created && (await this.#isWhole(group))) return false;
      await this.#store.closeGroup(group, created ? index : await this.#countStored(group, index));
      return created;
    } catch (error) {
      // Half a flow can never end. A flow with a key is completed by the caller, which stores it again.
      if (!this.#options.repeatable && created !== undefined) {
        await this.#store.requestCancel({ flow: this.#id }).catch(() => {});
      }
      throw error;
    }
  }

  /** In a transaction of the caller the flow is stored as a whole, with the number of its members known. */
  async #atOnce({ members, need, callback, after }: Streamed): Promise<boolean> {
    const nodes: NodeSpec[] = [];
    for await (const link of members) nodes.push(nodeOf(link as AnyLink));
    return await this.#storeWhole({ members: nodes, need, callback: linkOf(callback, nodes[0]) }, after);
  }

  /** Stores a group that has no members. */
  async #storeEmpty({ need, callback, after }: Streamed): Promise<boolean> {
    return await this.#storeWhole({ members: [], need, callback: linkOf(callback, undefined) }, after);
  }

  async #storeWhole(stage: GroupSpec, after: NodeSpec): Promise<boolean> {
    return await storeFlow(
      this.#store,
      { node: [stage, ...after], streamed: null },
      this.#id,
      this.#input,
      this.#options,
    );
  }

  async #begin(
    { need, callback, after }: Streamed,
    at: Position,
    group: string,
    first: NodeSpec | undefined,
  ): Promise<boolean> {
    const task = heldCallback(linkOf(callback, first), group, at, after);
    this.#same = new SameFlow(this.#store, this.#id, group);
    // Where only the callback was removed after its retention, its members have ended and would not release a new one.
    const isThere =
      this.#options.repeatable && (await this.#store.query({ flow: this.#id }, { limit: 1 })).length > 0;
    if (!isThere) {
      const created = await this.#store.enqueue([withTrace(task, this.#options.trace)], {
        groups: [{ id: group, children: null, need, callback: group }],
      });
      if (created.length > 0) return true;
    }
    await this.#same.assertPlaces([task]);
    return false;
  }

  /** Whether an earlier call with the same key has stored all members; the group may have been removed since. */
  async #isWhole(group: string): Promise<boolean> {
    this.#whole ??= (await this.#store.group(group))?.children !== null;
    return this.#whole;
  }

  /** How many members are stored: an earlier call that was interrupted may have read more than this one. */
  async #countStored(group: string, read: number): Promise<number> {
    for (let count = read; ; ) {
      const page = await this.#store.children(group, { afterIndex: count - 1, limit: ONE_STEP });
      count = (page.at(-1)?.index ?? count - 1) + 1;
      if (page.length < ONE_STEP) return count;
    }
  }

  /** Stores the members that were read. Members that an earlier call has stored must be of the same flow. */
  async #flush(isNew: boolean, group: string): Promise<void> {
    const { tasks, groups } = this.#batch;
    this.#batch = { tasks: [], groups: [] };
    if (tasks.length === 0) return;
    if (!isNew) {
      if (await this.#isWhole(group)) return await this.#same?.assertKinds(tasks);
      await this.#same?.assertPlaces(tasks);
    }
    const stored = new Set(
      await this.#store.enqueue(
        tasks.map((task) => toStore(task, this.#options)),
        { groups: groups },
      ),
    );
    // Another call has stored these meanwhile.
    await this.#same?.assertPlaces(tasks.filter(({ id }) => !stored.has(id)));
  }
}

function linkOf(callback: NodeSpec[number] | null, first: NodeSpec | undefined): LinkSpec {
  if (callback === null) return passIn(queueOf(first));
  if ("members" in callback) throw new TypeError("The callback of a group is a task.");
  return callback;
}

/** The delay of a flow applies to the tasks that begin it, not to a callback, which is released when its group has ended. */
function delayed(task: NewTask, { delayMs }: StoreFlowOptions): NewTask {
  if (delayMs === undefined || task.held) return task;
  const { expiresMs } = task;
  return {
    ...task,
    delayMs: delayMs + (task.delayMs ?? 0),
    ...(expiresMs === undefined ? {} : { expiresMs: delayMs + expiresMs }),
  };
}

/**
 * A group without members releases its callback as soon as it is stored; with a delay, a task that passes its input
 * on goes before it.
 */
function startsLater(node: NodeSpec, { delayMs }: StoreFlowOptions): NodeSpec {
  return delayMs !== undefined && beginsEmpty(node) ? [passIn(queueOf(node)), ...node] : node;
}

function beginsEmpty([first]: NodeSpec): boolean {
  if (first === undefined || !("members" in first)) return false;
  return first.members.length === 0 || first.members.some(beginsEmpty);
}

function toStore(task: NewTask, options: StoreFlowOptions): NewTask {
  return withTrace(delayed(task, options), options.trace);
}

/** Parses the inputs that are known before anything runs: a bad one fails here. */
export async function checkFlow(store: Store, node: NodeSpec, previous: StoredValue): Promise<void> {
  const [first, ...after] = node;
  if (first === undefined) return;
  if ("members" in first) {
    for (const member of first.members) await checkFlow(store, member, previous);
    await checkLink(store, first.callback, undefined);
  } else await checkLink(store, first, previous);
  // What follows is stored with each of the tasks before it, so its size counts.
  if (after.length > 0) take(after, "What follows in a flow");
  await checkFixed(store, after);
}

/** The same for links that get their input later, unless they have one of their own. */
async function checkFixed(store: Store, node: NodeSpec): Promise<void> {
  for (const stage of node) {
    if ("members" in stage) {
      for (const member of stage.members) await checkFixed(store, member);
      await checkLink(store, stage.callback, undefined);
    } else await checkLink(store, stage, undefined);
  }
}

async function checkLink(store: Store, link: LinkSpec, previous: StoredValue | undefined): Promise<void> {
  const given = link.input === undefined && link.via === undefined ? previous : link.input;
  if (given === undefined) return;
  const schema = taskNamed(link.name)?.definition.schema ?? null;
  if (schema !== null) await checkInput(schema, given, link.name, async () => store);
}
