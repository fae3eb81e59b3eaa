import { setOwn } from "../own.ts";

/** Where a value goes: threads share memory, processes do not. */
export type Isolation = "thread" | "process";

/** The method of an object that crosses to a worker as a handle; structured cloning would take it apart. */
export const toHandle: unique symbol = Symbol("pawl.toHandle");

/** An object that a worker gets as a handle to the same thing rather than as a copy. */
export interface Portable {
  /** What the other side needs, in a form that can be cloned. Throws a PawlError where it cannot go there. */
  [toHandle](to: Isolation): HandleState;
}

/** What crosses in its place: the name of the kind, and what its `revive` needs. */
export interface HandleState {
  readonly kind: string;
  readonly state: unknown;
}

type Revive = (state: never) => object;

const kinds = new Map<string, Revive>();

/** Marks a handle on its way. */
const mark = "\u0000pawl";

/** How deep in plain arrays and objects handles are looked for, and in arrays up to which length. */
const DEEPEST = 4;
const LONGEST = 1024;

/** Says how a kind of handle becomes an object again. Call it where the class is defined. */
export function portableKind<State>(kind: string, revive: (state: State) => object): void {
  kinds.set(kind, revive as Revive);
}

/**
 * The value with every portable object in it replaced by its handle, and whether there was one. Looks into plain
 * arrays (up to 1,024 elements) and plain objects, four levels deep.
 */
export function pack(value: unknown, to: Isolation): { readonly value: unknown; readonly packed: boolean } {
  // Nothing portable can be in a value before the first kind is known.
  if (kinds.size === 0 || typeof value !== "object" || value === null) return { value, packed: false };
  const packed = swap(value, DEEPEST, (each) => handleOf(each, to));
  return { value: packed, packed: packed !== value };
}

/** Packs each of several values. */
export function packAll(
  values: readonly unknown[],
  to: Isolation,
): { readonly value: unknown[]; readonly packed: boolean } {
  let packed = false;
  const value = values.map((each) => {
    const one = pack(each, to);
    if (one.packed) packed = true;
    return one.value;
  });
  return { value, packed };
}

/** The opposite of `pack`, for a value that was `packed`. */
export function unpack(value: unknown): unknown {
  return swap(value, DEEPEST, revived);
}

function handleOf(value: object, to: Isolation): unknown {
  if (!(toHandle in value)) return undefined;
  const { kind, state } = (value as Portable)[toHandle](to);
  return { [mark]: kind, state };
}

function revived(value: object): unknown {
  if (!(mark in value)) return undefined;
  const { [mark]: kind, state } = value as { [mark]: string; state: never };
  const revive = kinds.get(kind);
  if (revive === undefined) throw new TypeError(`This worker knows no handle of the kind ${kind}.`);
  return revive(state);
}

/** Copies only what leads to something replaced. */
function swap(value: unknown, depth: number, replace: (value: object) => unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const replaced = replace(value);
  if (replaced !== undefined) return replaced;
  if (depth === 0) return value;
  if (Array.isArray(value)) {
    if (value.length > LONGEST) return value;
    let copy: unknown[] | null = null;
    for (let at = 0; at < value.length; at++) {
      const each = swap(value[at], depth - 1, replace);
      if (Object.is(each, value[at])) continue;
      copy ??= value.slice();
      copy[at] = each;
    }
    return copy ?? value;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  let copy: Record<string, unknown> | null = null;
  for (const [name, before] of Object.entries(value)) {
    const each = swap(before, depth - 1, replace);
    if (Object.is(each, before)) continue;
    copy ??= { ...value };
    setOwn(copy, name, each);
  }
  return copy ?? value;
}
