import { PawlError } from "../../errors.ts";
import type { NewTask, Store, TaskRecord } from "../../store/contract.ts";
import { metaOf } from "../task-meta.ts";
import { endOf } from "./link.ts";
import type { NodeSpec, StageSpec } from "./spec.ts";

/** Tasks that are compared with what is stored at once. */
const PAGE = 1_000;

/**
 * Compares a flow with the one that is stored under its key. A call that is made again may have read newer data, so neither
 * inputs nor options count, nor how many members a group has. Which tasks it is made of does: a task of a kind
 * that the stored flow lacks would be ignored silently. Throws the PawlError `flow.key` for it.
 */
export class SameFlow {
  readonly #store: Store;
  readonly #id: string;
  /** What the ids of the members of the group begin with, where the flow begins with one. */
  readonly #within: string;
  /** One of each kind of member that was found in the store. */
  readonly #known = new Set<string>();
  #begunAt: number | null | undefined;

  /** `group` is that of the group with which the flow begins. */
  constructor(store: Store, id: string, group: string) {
    this.#store = store;
    this.#id = id;
    this.#within = `${group}/`;
  }

  /** Each task that is stored must be the one that has its place now. */
  async assertPlaces(tasks: readonly NewTask[]): Promise<void> {
    if (tasks.length === 0) return;
    const stored = await this.#store.query({ ids: tasks.map(({ id }) => id) });
    const records = new Map(stored.map((record) => [record.id, record]));
    for (const task of tasks) {
      const record = records.get(task.id);
      if (record !== undefined && !isLike(record, task)) throw another(task, record);
    }
  }

  /**
   * Each task outside of the group must be at its place, and for each member there must be a stored member of its
   * kind, at any place.
   */
  async assertKinds(tasks: readonly NewTask[]): Promise<void> {
    await this.assertPlaces(tasks.filter(({ id }) => !id.startsWith(this.#within)));
    for (const task of tasks) {
      if (!task.id.startsWith(this.#within)) continue;
      const kind = JSON.stringify([task.name, ...afterOf(task).map(kindOf)]);
      if (this.#known.has(kind)) continue;
      if (!(await this.#has(task)) && !(await this.#mayBeCleanedAway(task))) throw another(task);
      this.#known.add(kind);
    }
  }

  async #has(task: NewTask): Promise<boolean> {
    for (let after: string | undefined; ; ) {
      const page = await this.#store.query(
        { flow: this.#id, name: task.name },
        { limit: PAGE, ...(after === undefined ? {} : { after }) },
      );
      if (page.some((record) => record.id.startsWith(this.#within) && isLike(record, task))) return true;
      if (page.length < PAGE) return false;
      after = page.at(-1)?.id;
    }
  }

  /** Whether the flow is older than such a task is kept: then it may have had one. */
  async #mayBeCleanedAway({ retentionMs }: NewTask): Promise<boolean> {
    this.#begunAt ??= (await this.#store.query({ flow: this.#id }, { limit: 1 }))[0]?.createdAt ?? null;
    if (this.#begunAt === null) return true;
    return retentionMs !== undefined && (await this.#store.now()) - this.#begunAt >= retentionMs;
  }
}

function another(task: NewTask, stored?: TaskRecord): PawlError {
  const mine = described(task.name, afterOf(task));
  return new PawlError(
    "flow.key",
    stored === undefined
      ? `The key of this flow was given to another one, which has no task ${mine}: give each flow a key of its own.`
      : `The key of this flow was given to another one, which has task ${described(stored.name, afterOf(stored))} where this one has ${mine}: give each flow a key of its own.`,
  );
}

/** A task with what follows it, for people. */
function described(name: string, after: NodeSpec): string {
  return [name, ...after.map((stage) => endOf([stage]))].map((each) => `"${each}"`).join(" followed by ");
}

function afterOf({ meta }: Pick<NewTask | TaskRecord, "meta">): NodeSpec {
  return metaOf(meta ?? null).flow?.after ?? [];
}

/** Whether a task of the store is the same part of a flow. */
function isLike(stored: TaskRecord, now: NewTask): boolean {
  return stored.name === now.name && covers(afterOf(stored), afterOf(now));
}

/** Whether every task of these stages is in the stored ones as well. */
function covers(stored: NodeSpec, now: NodeSpec): boolean {
  return (
    stored.length === now.length && now.every((stage, at) => coversStage(stored[at] as StageSpec, stage))
  );
}

function coversStage(stored: StageSpec, now: StageSpec): boolean {
  if (!("members" in now)) return !("members" in stored) && stored.name === now.name;
  if (!("members" in stored) || stored.callback.name !== now.callback.name) return false;
  const kinds = byKind(stored.members);
  return byKind(now.members).every((member) => kinds.some((each) => covers(each, member)));
}

/** One member of each kind. */
function byKind(members: readonly NodeSpec[]): NodeSpec[] {
  return [...new Map(members.map((member) => [JSON.stringify(member.map(kindOf)), member])).values()];
}

/** Which tasks a stage is made of, as plain data. */
function kindOf(stage: StageSpec): unknown {
  if (!("members" in stage)) return stage.name;
  const members = new Set(stage.members.map((member) => JSON.stringify(member.map(kindOf))));
  return [stage.callback.name, [...members].sort()];
}
