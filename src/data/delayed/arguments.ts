import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { setOwn } from "../../own.ts";
import { isPlainObject } from "../../plain-object.ts";
import { pack, toHandle } from "../../pool/internal.ts";
import { isThenable } from "../../thenable.ts";
import { DelayedCall, type TakenArguments } from "./call.ts";

/** How deep in arguments other delayed values and handles may stand. */
const DEEPEST = 200;

/** An argument that has delayed values inside. */
class Template {
  readonly value: object;

  constructor(value: object) {
    this.value = value;
  }
}

const NONE: readonly DelayedCall[] = [];

/**
 * Copies arguments, so that later changes of their objects change nothing. Delayed values and what crosses to workers as a handle, such as
 * refs, stay what they are. Throws PawlError("delayed.argument") for what no worker can be sent.
 */
export function takeArguments(name: string, given: readonly unknown[]): TakenArguments {
  let needs: Set<DelayedCall> | null = null;
  const args = given.map((value, at) => {
    if (value instanceof DelayedCall) {
      needs ??= new Set();
      needs.add(value);
      return value;
    }
    if (
      value === null ||
      (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")
    )
      return value;
    try {
      if (typeof value === "object" && holdsMore(value)) {
        needs ??= new Set();
        return new Template(copied(value, { needs, copies: new Map() }, 0) as object);
      }
      return cloned(value);
    } catch (error) {
      if (error instanceof PawlError) throw error;
      const remedy = isThenable(value)
        ? "await it first, or make its function a delayed one"
        : "pass plain data, or another delayed value";
      throw new PawlError(
        "delayed.argument",
        `Argument ${at + 1} of the delayed ${name} cannot be sent to a worker (${errorReason(error)}): ${remedy}.`,
      );
    }
  });
  return { args, needs: needs === null ? NONE : [...needs] };
}

/** The arguments of a call with results in the places of delayed values. */
export function fillArguments(
  { args, needs }: TakenArguments,
  resultOf: (call: DelayedCall) => unknown,
): unknown[] {
  if (needs.length === 0 && !args.some((each) => each instanceof Template)) return [...args];
  return args.map((each) => {
    if (each instanceof DelayedCall) return resultOf(each);
    return each instanceof Template ? filled(each.value, resultOf, new Map()) : each;
  });
}

/** As structured cloning has it, but an error where that would make less of the value without a word. */
function cloned(value: unknown): unknown {
  return structuredClone(pack(value, "thread").value);
}

/** Whether a delayed value or a handle stands in it: in plain arrays and objects. */
function holdsMore(value: object): boolean {
  const seen = new Set<object>();
  const open: object[] = [value];
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    if (seen.has(each)) continue;
    seen.add(each);
    if (each instanceof DelayedCall || toHandle in each) return true;
    if (!isContainer(each)) continue;
    for (const inside of Object.values(each))
      if (typeof inside === "object" && inside !== null) open.push(inside);
  }
  return false;
}

interface Copying {
  readonly needs: Set<DelayedCall>;
  /** By what was copied: one object in two places stays one, and a ring is a ring. */
  readonly copies: Map<object, object>;
}

function copied(value: unknown, copying: Copying, depth: number): unknown {
  if (value instanceof DelayedCall) {
    copying.needs.add(value);
    return value;
  }
  if (typeof value !== "object" || value === null)
    return typeof value === "function" || typeof value === "symbol" ? cloned(value) : value;
  if (toHandle in value) return value;
  const known = copying.copies.get(value);
  if (known !== undefined) return known;
  if (!isContainer(value)) {
    const copy = cloned(value) as object;
    copying.copies.set(value, copy);
    return copy;
  }
  if (depth === DEEPEST) throw tooDeep();
  const copy = emptyLike(value);
  copying.copies.set(value, copy);
  for (const [key, each] of Object.entries(value)) setOwn(copy, key, copied(each, copying, depth + 1));
  return copy;
}

function filled(
  value: unknown,
  resultOf: (call: DelayedCall) => unknown,
  copies: Map<object, object>,
): unknown {
  if (value instanceof DelayedCall) return resultOf(value);
  if (typeof value !== "object" || value === null || toHandle in value || !isContainer(value)) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const copy = emptyLike(value);
  copies.set(value, copy);
  for (const [key, each] of Object.entries(value)) setOwn(copy, key, filled(each, resultOf, copies));
  return copy;
}

function isContainer(value: object): boolean {
  return Array.isArray(value) || isPlainObject(value);
}

/** An array keeps its length, since it may have holes. */
function emptyLike(value: object): Record<string, unknown> {
  return (Array.isArray(value) ? new Array(value.length) : {}) as Record<string, unknown>;
}

function tooDeep(): Error {
  return new RangeError(
    `a delayed value or a handle is in an object that nests more than ${DEEPEST} levels deep`,
  );
}
