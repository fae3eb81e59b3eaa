import { types } from "node:util";
import { serialize } from "node:v8";
import { errorText } from "../../error-text.ts";
import { isPlainObject } from "../../plain-object.ts";

/**
 * What structured cloning would make less of without a word. It copies the own properties of an object and nothing else: of
 * a stream, a hash or an object with private fields alone that leaves `{}`. No list of classes could be whole, so
 * this asks what an object is made of.
 */

/** Where a value goes: threads share memory, processes do not. */
export type Isolation = "thread" | "process";

/**
 * How objects of a class arrive: as `data`, with their own properties; in a form of their `own`, such as a Blob in a thread; or
 * `lost`, whatever properties they have, since what they are is held elsewhere.
 */
type Arrival = "data" | "own" | "lost";

/** Taken at the start: a function may replace it in its worker, whose results are looked at here. */
const { isArray } = Array;

/** By the prototype of an object. */
const arrivals = new WeakMap<object, Arrival>();

/**
 * Throws a DataCloneError for the first part that would arrive as less than it is, and, on the way to a process, for
 * what structured cloning refuses or gives in a form of its own, such as a URL or a Blob: the channel to a process
 * makes an empty object of it. Of what cannot be cloned at all a thread's channel tells itself.
 */
export function assertCloneable(value: object, to: Isolation): void {
  check(value, { to, seen: new Set() });
}

/** The same of an object alone, whose properties are looked at elsewhere. Its prototype is that of an object literal, or null. */
export function assertIsData(value: object): void {
  // Such as Math, which has no property that would be copied.
  if (Object.prototype.toString.call(value) !== "[object Object]" && Object.keys(value).length === 0)
    throw uncloneable(value);
}

interface Walk {
  readonly to: Isolation;
  readonly seen: Set<object>;
}

function check(value: unknown, walk: Walk): void {
  if (typeof value !== "object" || value === null || walk.seen.has(value)) return;
  walk.seen.add(value);
  if (isArray(value)) {
    for (const each of value) check(each, walk);
  } else if (isPlainObject(value)) {
    assertIsData(value);
    for (const each of Object.values(value)) check(each, walk);
  } else if (types.isMap(value)) {
    for (const [key, each] of value) {
      check(key, walk);
      check(each, walk);
    }
  } else if (types.isSet(value)) for (const each of value) check(each, walk);
  else if (types.isNativeError(value)) check(value.cause, walk);
  else if (!isLeaf(value, walk.to)) lookIntoObject(value, walk);
}

/** What has no parts that could be anything. */
function isLeaf(value: object, to: Isolation): boolean {
  if (ArrayBuffer.isView(value)) return isWhole(value, value.buffer, to);
  if (types.isAnyArrayBuffer(value)) return isWhole(value, value, to);
  return types.isDate(value) || types.isRegExp(value) || types.isBoxedPrimitive(value);
}

/** The bytes of a buffer that was transferred are elsewhere: the channel to a process would give none. */
function isWhole(value: object, buffer: ArrayBufferLike, to: Isolation): true {
  if (to === "process" && "detached" in buffer && buffer.detached) throw uncloneable(value);
  return true;
}

function lookIntoObject(value: object, walk: Walk): void {
  const prototype: object = Object.getPrototypeOf(value);
  let arrival = arrivals.get(prototype);
  if (arrival === undefined) {
    arrival = arrivalOf(value);
    arrivals.set(prototype, arrival);
  }
  if (arrival === "own" && walk.to === "thread") return;
  if (arrival !== "data") throw uncloneable(value);
  const parts = Object.values(value);
  if (
    parts.length === 0 ||
    Object.getOwnPropertySymbols(value).some((name) => isHidden(Reflect.get(value, name)))
  )
    throw uncloneable(value);
  for (const each of parts) check(each, walk);
}

/** Asks structured cloning, and throws what that throws. */
function arrivalOf(value: object): Arrival {
  if (!isPlainObject(structuredClone(value))) return "own";
  const isMore = Object.prototype.toString.call(value) !== "[object Object]" || isNative(value);
  return isMore ? "lost" : "data";
}

/** Whether a class that the object is of is made by the engine, which keeps what such an object is to itself. */
function isNative(value: object): boolean {
  let prototype: object = Object.getPrototypeOf(value);
  // Up to that of object literals, which is made by the engine and holds nothing.
  for (let next = Object.getPrototypeOf(prototype); next !== null; next = Object.getPrototypeOf(next)) {
    const made = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
    if (typeof made === "function" && NATIVE.test(Function.prototype.toString.call(made))) return true;
    prototype = next;
  }
  return false;
}

const NATIVE = /\{\s*\[native code\]\s*\}$/;

/**
 * Whether a property named by a symbol, which is never copied, holds what an object works with, as those of Node do: a
 * handle, bytes, or an object with a handle in it.
 */
function isHidden(held: unknown): boolean {
  if (typeof held !== "object" || held === null || isArray(held)) return false;
  return isPlainObject(held) ? Object.values(held).some(isHandle) : isHandle(held);
}

function isHandle(held: unknown): boolean {
  if (typeof held !== "object" || held === null || isArray(held) || isPlainObject(held)) return false;
  return ArrayBuffer.isView(held) || Object.keys(held).length === 0 || isNative(held);
}

function uncloneable(value: object): DOMException {
  const tag = Object.prototype.toString.call(value);
  const { name } = (Reflect.get(value, "constructor") ?? {}) as { name?: unknown };
  const shown =
    tag === "[object Object]" && typeof name === "string" && name !== "" ? `[object ${name}]` : tag;
  return new DOMException(`${shown} could not be cloned.`, "DataCloneError");
}

/** Why a value cannot be sent to a thread or a process, for people; null when it can. */
export function whyUnsendable(value: unknown, to: Isolation): string | null {
  try {
    if (typeof value === "object" && value !== null) assertCloneable(value, to);
    // A pipe takes less than a thread does: shared memory, for one.
    if (to === "thread") structuredClone(value);
    else serialize(value);
    return null;
  } catch (error) {
    return errorText(error);
  }
}
