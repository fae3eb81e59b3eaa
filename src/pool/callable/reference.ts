import {
  type AnyFunction,
  type CallableReference,
  callableReference,
  isClass,
  resolveCallable,
} from "./callable.ts";
import { compileInline } from "./inline/compile.ts";
import { inlineSource } from "./inline/source.ts";

/** A function on its way to a worker, as plain data. */
export type FunctionReference =
  | CallableReference
  /** Its own source, an expression. */
  | { readonly kind: "inline"; readonly source: string };

const references = new WeakMap<AnyFunction, FunctionReference>();

/**
 * How a worker gets the function: from its module when it is a callable, otherwise by its source. Costs next to
 * nothing for a function that was seen before. `caller` is what the function was passed to, such as `pool.map`, for
 * the PawlError that tells why a function cannot go to a worker.
 */
export function referenceTo(fn: AnyFunction, caller: string): FunctionReference {
  const known = references.get(fn);
  if (known) return known;
  const callable = typeof fn === "function" && !isClass(fn) ? callableReference(fn) : null;
  const reference = callable ?? ({ kind: "inline", source: inlineSource(fn, caller) } as const);
  references.set(fn, reference);
  return reference;
}

/**
 * The worker's end: the function again. Throws a PawlError where its module cannot be loaded, lacks it or holds
 * another version of it. A callable is found by `resolveCallable`, in callable.ts.
 */
export async function resolveReference(reference: FunctionReference): Promise<AnyFunction> {
  return reference.kind === "module" ? await resolveCallable(reference) : compileInline(reference.source);
}
