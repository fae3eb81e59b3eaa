/** What every driver checks of what it is given, so that all of them refuse the same and none of them half-way. */
import { quoted } from "../arguments.ts";
import { PawlError } from "../errors.ts";
import type { NewGroup, NewTask } from "./contract.ts";

/** 31,688 years: in sum with any clock still an exact number, and an instant that a Date can hold. */
const LONGEST_MS = 1e15;

/** An index of PostgreSQL takes 2,700 bytes for all columns of a row together. */
const MOST_BYTES_OF_KEY = 1_000;

/** PostgreSQL keeps priorities in 32 bits. */
const HIGHEST_PRIORITY = 2 ** 31 - 1;

/**
 * Whole milliseconds of a duration; what is longer than any program waits, up to `Infinity`, is `LONGEST_MS`. Throws a
 * PawlError `store.unstorable` for one that is negative or not a number.
 */
export function duration(ms: number): number {
  if (!(ms >= 0)) throw unstorable(`A duration of ${String(ms)} ms`, "is not a number of at least 0");
  return Math.min(Math.ceil(ms), LONGEST_MS);
}

/** Throws a PawlError `store.unstorable` that names the first task and field that no driver can keep. */
export function assertStorable(tasks: readonly NewTask[], groups: readonly NewGroup[]): void {
  let before: NewTask | undefined;
  for (const task of tasks) {
    assertTask(task, before);
    before = task;
  }
  for (const { id, callback } of groups) {
    assertKey(id, id, "id of the group");
    assertKey(callback, id, "callback of the group");
  }
}

/** `before`: one that was checked. Those of a batch often have their queue and their name in common. */
function assertTask(task: NewTask, before: NewTask | undefined): void {
  const { id, priority, childOf } = task;
  assertKey(id, id, "id");
  if (task.queue !== before?.queue) assertKey(task.queue, id, "queue");
  if (task.name !== before?.name) assertKey(task.name, id, "name");
  if (task.flow !== undefined) assertKey(task.flow, id, "flow");
  if (task.unique !== undefined) assertKey(task.unique, id, "unique key");
  if (task.bucket !== undefined) assertKey(task.bucket, id, "bucket");
  if (priority !== undefined && !(Number.isInteger(priority) && Math.abs(priority) <= HIGHEST_PRIORITY)) {
    throw unstorable(
      `The priority ${String(priority)} of task ${quoted(id)}`,
      "is not a whole number of 32 bits",
    );
  }
  assertMs(task.delayMs, id, "delay");
  assertMs(task.expiresMs, id, "expiry");
  assertMs(task.retentionMs, id, "retention");
  if (childOf === undefined) return;
  assertKey(childOf.group, id, "group");
  if (!Number.isSafeInteger(childOf.index)) {
    throw unstorable(
      `The position ${String(childOf.index)} of task ${quoted(id)} in its group`,
      "is not a whole number",
    );
  }
}

function assertMs(ms: number | undefined, id: unknown, what: string): void {
  if (ms === undefined || ms >= 0) return;
  throw unstorable(`The ${what} of ${String(ms)} ms of task ${quoted(id)}`, "is not a number of at least 0");
}

function assertKey(text: unknown, id: unknown, what: string): void {
  const why = fault(text);
  if (why !== null) throw unstorable(`The ${what} ${quoted(text)} of task ${quoted(id)}`, why);
}

/**
 * Whether a store may hold this text as an id, a name or a key. No row has any other text: PostgreSQL would refuse a
 * query with it, and SQLite would look for another text.
 */
export function canBeHeld(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

/** Throws a PawlError `store.unstorable` for a name that no driver can keep. */
export function assertName(text: string, what: string): void {
  const why = fault(text);
  if (why !== null) throw unstorable(`The ${what} ${quoted(text)}`, why);
}

function fault(text: unknown): string | null {
  if (typeof text !== "string") return "is not a text";
  if (text.includes("\0")) return "holds a NUL";
  if (!text.isWellFormed()) return "holds half of a character";
  // UTF-8 has at most three bytes for each unit of a string's length.
  const mayBeLong = text.length * 3 > MOST_BYTES_OF_KEY;
  if (mayBeLong && Buffer.byteLength(text) > MOST_BYTES_OF_KEY)
    return `is longer than ${MOST_BYTES_OF_KEY} bytes`;
  return null;
}

function unstorable(what: string, why: string): PawlError {
  return new PawlError("store.unstorable", `${what} cannot be stored: it ${why}.`);
}
