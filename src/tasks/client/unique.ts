/** Which task stands for a call that the store may have already, because of its key or because it is unique. */
import { setTimeout as sleep } from "node:timers/promises";
import { canonicalJson } from "../../canonical-json.ts";
import { PawlError } from "../../errors.ts";
import type { NewTask, Store, TaskRecord } from "../../store/contract.ts";
import type { Definition } from "../contract.ts";
import type { StoredValue } from "../flow/spec.ts";
import { derivedId } from "../task-id.ts";

/** The id of a call with a key. */
export function keyedId({ name }: Definition, key: unknown): string {
  namingKey(key, `The key of task "${name}"`);
  return derivedId(name, key);
}

/** Checks a key: all calls with an undefined key would be the same call, and only the first would be stored. */
export function namingKey(key: unknown, what: string): asserts key is string {
  if (typeof key === "string" && key !== "") return;
  const given = key === "" ? "an empty one" : key === null ? "null" : `a value of type ${typeof key}`;
  throw new PawlError("task.key", `${what} must be a text, not ${given}: leave it out where there is none.`);
}

/** A longer unique key is replaced by its digest, because the store has an index of them. */
const MOST_OF_UNIQUE = 500;

/** The unique key of a call; undefined where the task is not unique. */
export function uniqueKey(
  { name, unique }: Definition,
  input: unknown,
  taken: StoredValue,
): string | undefined {
  if (unique === null) return undefined;
  const text = unique === true ? derivedId(canonicalJson(taken)) : unique(input as never);
  if (typeof text !== "string") {
    throw new PawlError(
      "task.unique",
      `The unique of task "${name}" must give a text, not a value of type ${typeof text}.`,
    );
  }
  // As JSON, so that two different pairs of name and text never give the same key.
  const key = JSON.stringify([name, text]);
  return key.length > MOST_OF_UNIQUE ? derivedId(name, text) : key;
}

/** How often a unique task may end between being found there and being looked up. */
const UNIQUE_TRIES = 20;

/** How long to wait for a unique task that was asked to stop: a child that does not listen is killed after 2 s. */
const UNIQUE_WAIT_MS = 15_000;
const UNIQUE_PAUSE_MS = 50;

/**
 * The task that holds the unique key of `task`, which the store has refused for it; or this task, if the other has ended
 * meanwhile and this one could be stored. `add` stores it; null in a transaction of the caller, which cannot wait.
 */
export async function uniqueTask(
  store: Store,
  task: NewTask,
  add: ((task: NewTask) => Promise<boolean>) | null,
): Promise<{ readonly id: string; readonly created: boolean }> {
  const since = performance.now();
  for (let tries = 0; tries < UNIQUE_TRIES; ) {
    if ((await store.query({ ids: [task.id] })).length > 0) return { id: task.id, created: false };
    const [holder] = await store.query({ unique: task.unique as string });
    if (holder !== undefined && !(await isEnding(holder, store))) return { id: holder.id, created: false };
    if (add === null) {
      throw new PawlError(
        "task.unique",
        holder === undefined
          ? `Task "${task.name}" is unique, and this transaction has enqueued one with its key: keep the handle of that one.`
          : `Task "${task.name}" is unique, and the one with its key is being cancelled: try again when that has ended.`,
      );
    }
    if (await add(task)) return { id: task.id, created: true };
    if (holder === undefined) tries++;
    else if (performance.now() - since > UNIQUE_WAIT_MS) {
      throw new PawlError(
        "task.unique",
        `Task "${task.name}" is unique, and the one with its key was asked to stop and still runs (${holder.id}): try again when that has ended.`,
      );
    } else await sleep(UNIQUE_PAUSE_MS);
  }
  throw new PawlError(
    "task.unique",
    `Task "${task.name}" is unique, and other tasks with its key begin and end too fast to be found: try again.`,
  );
}

/** Whether a task that holds a unique key is about to end without running again, so that it cannot stand for a new call. */
async function isEnding(holder: TaskRecord, store: Store): Promise<boolean> {
  const { state, cancelRequested, fence, expiresAt } = holder;
  if (state === "leased") return cancelRequested;
  return fence === 0 && expiresAt !== null && expiresAt <= (await store.now());
}
