import { errorReason, errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { own, setOwn } from "../../own.ts";
import { assertCloneable, assertIsData, type Isolation } from "./cloneable.ts";

/** The method of an object that crosses to a worker as a handle; structured cloning would take it apart. */
export const toHandle: unique symbol = Symbol("pawl.toHandle");

/** An object that a worker gets as a handle to the same thing rather than as a copy. */
export interface Shareable {
  /** What the other side needs, in a form that can be cloned. Throws a PawlError where it cannot go there. */
  [toHandle](to: Isolation): HandleState;
}

/** What crosses in its place: the name of the kind, and what its `revive` needs. */
export interface HandleState {
  readonly kind: string;
  readonly state: unknown;
}

/**
 * A handle, and where in its value it belongs. It travels beside the value and not in it: whatever the data looks like,
 * no part of it is ever taken for a handle.
 */
export interface Handle extends HandleState {
  /** Keys and indices from the value down; none for the value itself. */
  readonly path: readonly (string | number)[];
}

/** A value on its way, with the handles that belong into it. */
export interface Packed {
  readonly value: unknown;
  readonly handles: readonly Handle[];
}

type Revive = (state: never) => object;

/** Taken at the start: a function may replace it in its worker, whose results are looked at here. */
const { isArray } = Array;

const kinds = new Map<string, Revive>();

/** How deep in plain arrays and objects handles are looked for, and in arrays up to which length. */
const DEEPEST = 4;
const LONGEST = 1024;

const NONE: readonly Handle[] = [];

/** Says how a kind of handle becomes an object again. Call it where the class is defined. */
export function shareableKind<State>(kind: string, revive: (state: State) => object): void {
  kinds.set(kind, revive as Revive);
}

/**
 * The value without the shareable objects in it, and their handles. Looks into plain arrays (up to 1,024 elements) and
 * plain objects, four levels deep; further down a shareable object cannot be cloned, and so is an error. Throws a
 * DataCloneError for what would arrive as less than it is, wherever it is.
 */
export function pack(value: unknown, to: Isolation): Packed {
  if (typeof value !== "object" || value === null) return { value, handles: NONE };
  const search: Search = { to, deepest: DEEPEST, path: [], handles: [] };
  const packed = packObject(value, search);
  return { value: packed, handles: search.handles.length === 0 ? NONE : search.handles };
}

/** Packs each of several values; the first step of each path says which. */
export function packAll(
  values: readonly unknown[],
  to: Isolation,
): { readonly value: unknown[]; readonly handles: readonly Handle[] } {
  const search: Search = { to, deepest: 1 + DEEPEST, path: [0], handles: [] };
  const value = values.map((each, at) => {
    if (typeof each !== "object" || each === null) return each;
    search.path[0] = at;
    return packObject(each, search);
  });
  return { value, handles: search.handles };
}

function packObject(value: object, search: Search): object | null {
  const packed = withoutShareables(value, search);
  if (search.to === "process" && packed !== null) assertCloneable(packed, search.to);
  return packed;
}

/** The same handle, for a list in which its value is the one at this index. */
export function below(index: number, handle: Handle): Handle {
  return { ...handle, path: [index, ...handle.path] };
}

/** The handles of each of several values, by its index. */
export function handlesByIndex(handles: readonly Handle[]): ReadonlyMap<number, readonly Handle[]> {
  const byIndex = new Map<number, Handle[]>();
  for (const { path, ...handle } of handles) {
    const [index, ...rest] = path;
    const known = byIndex.get(index as number);
    if (known === undefined) byIndex.set(index as number, [{ ...handle, path: rest }]);
    else known.push({ ...handle, path: rest });
  }
  return byIndex;
}

/**
 * The opposite of `pack`, for a value that was cloned on its way: what belongs into it is put there. Throws where a handle
 * is to something that is no more.
 */
export function unpack({ value, handles }: Packed): unknown {
  let root = value;
  for (const { path, kind, state } of handles) {
    const revive = kinds.get(kind);
    if (revive === undefined) throw new TypeError(`This worker knows no handle of the kind ${kind}.`);
    const object = revive(state as never);
    const last = path.at(-1);
    if (last === undefined) root = object;
    else setOwn(holderOf(root, path), String(last), object);
  }
  return root;
}

/** Packs what a function returned. Throws a PawlError where it cannot go to where it is sent. */
export function packResult(value: unknown, to: Isolation): Packed {
  try {
    return pack(value, to);
  } catch (error) {
    if (error instanceof PawlError) throw error;
    throw unsendableResult(errorText(error));
  }
}

export function unsendableResult(why: string): PawlError {
  return new PawlError(
    "pool.unsendable-result",
    `The result cannot be sent back from a worker (${errorReason(why)}): return plain data.`,
  );
}

/** What holds the end of the path. */
function holderOf(root: unknown, path: Handle["path"]): Record<string, unknown> {
  let holder = root as Record<string, unknown>;
  for (const step of path.slice(0, -1)) holder = own(holder, String(step)) as Record<string, unknown>;
  return holder;
}

/** What a search for shareable objects knows: the way to where it is, and what it has found. */
interface Search {
  readonly to: Isolation;
  /** How long the way to what is looked into may be. */
  readonly deepest: number;
  readonly path: (string | number)[];
  readonly handles: Handle[];
}

/** The object with null in the place of each shareable one. Copies only what leads to one. */
function withoutShareables(value: object, search: Search): object | null {
  const { to, path, handles } = search;
  if (toHandle in value) {
    handles.push({ ...(value as Shareable)[toHandle](to), path: [...path] });
    return null;
  }
  if (path.length === search.deepest) return asItIs(value, search);
  if (isArray(value)) {
    if (value.length > LONGEST) return asItIs(value, search);
    let copy: unknown[] | null = null;
    for (let at = 0; at < value.length; at++) {
      const before: unknown = value[at];
      if (typeof before !== "object" || before === null) continue;
      const each = inside(before, at, search);
      if (each === before) continue;
      copy ??= value.slice();
      copy[at] = each;
    }
    return copy ?? value;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return asItIs(value, search);
  assertIsData(value);
  let copy: Record<string, unknown> | null = null;
  for (const [name, before] of Object.entries(value)) {
    if (typeof before !== "object" || before === null) continue;
    const each = inside(before, name, search);
    if (each === before) continue;
    copy ??= { ...value };
    setOwn(copy, name, each);
  }
  return copy ?? value;
}

/** What is not looked into for shareable objects. On the way to a process all of the value is looked at in the end. */
function asItIs(value: object, { to }: Search): object {
  if (to === "thread") assertCloneable(value, to);
  return value;
}

function inside(value: object, step: string | number, search: Search): object | null {
  search.path.push(step);
  const packed = withoutShareables(value, search);
  search.path.pop();
  return packed;
}
