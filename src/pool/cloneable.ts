import { types } from "node:util";

/** Objects of these would arrive as empty ones, in threads too: what they are is not in their properties. */
const LOST = [AbortController, Event, EventTarget, PerformanceEntry, TextDecoder, TextEncoder];

/** By the prototype of an object: whether it would arrive as an empty one. */
const lost = new WeakMap<object, boolean>();

/** Prototypes of objects that arrive as plain ones, in threads and processes alike. */
const plain = new WeakSet<object>();

const CONTAINERS = new Set<unknown>([null, Object.prototype, Array.prototype, Map.prototype, Set.prototype]);

/** Throws a DataCloneError for an object of a class that structured cloning empties without a word. */
export function assertNotLost(value: object): void {
  const prototype = Object.getPrototypeOf(value);
  if (CONTAINERS.has(prototype)) return;
  let is = lost.get(prototype);
  if (is === undefined) {
    is = LOST.some((each) => value instanceof each);
    lost.set(prototype, is);
  }
  if (is) throw uncloneable(value);
}

/**
 * Throws a DataCloneError for what structured cloning refuses or gives in a form of its own, such as a URL, Headers, a
 * Blob or a stream: the channel to a process would make an empty object of it without a word.
 */
export function assertForProcess(value: object): void {
  look(value, new Set());
}

function look(value: unknown, seen: Set<object>): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value)) {
    for (const each of value) look(each, seen);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (!CONTAINERS.has(prototype)) {
    if (isLeaf(value)) return;
    assertNotLost(value);
    if (!plain.has(prototype) && !(value instanceof Error)) assertPlain(value, prototype);
  }
  if (types.isMap(value)) {
    for (const [key, each] of value) {
      look(key, seen);
      look(each, seen);
    }
  } else if (types.isSet(value)) for (const each of value) look(each, seen);
  else if (value instanceof Error) look(value.cause, seen);
  else for (const each of Object.values(value)) look(each, seen);
}

/** What has no parts that could be anything. */
function isLeaf(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isBoxedPrimitive(value)
  );
}

/** Asks structured cloning, once for each class whose objects become plain ones. */
function assertPlain(value: object, prototype: object): void {
  if (Object.getPrototypeOf(structuredClone(value)) !== Object.prototype) throw uncloneable(value);
  plain.add(prototype);
}

function uncloneable(value: object): DOMException {
  return new DOMException(`${Object.prototype.toString.call(value)} could not be cloned.`, "DataCloneError");
}
