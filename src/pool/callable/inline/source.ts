import type { AnyFunction } from "../callable.ts";
import { InlineErrors } from "./errors.ts";
import { freeIdentifiers } from "./free-names.ts";
import { exportOfNode, isGlobalOfWorkers, pathOfGlobal } from "./known-globals.ts";
import { outerReference } from "./outer-context.ts";
import { readFunction } from "./parse.ts";
import { shadowedGlobal } from "./shadowed-globals.ts";

const byFunction = new WeakMap<AnyFunction, string>();

/** Functions that are made again for every call have one text; only so many are kept. */
const byText = new Map<string, string>();
const KEPT_TEXTS = 500;

/**
 * The source of a function that stands on its own: an expression that means the same in a worker. Throws a PawlError
 * that says by name what the function uses from outside, or what else about it cannot go along, and what to do; it
 * speaks of the function as passed to `caller`, such as `pool.map`.
 *
 * Only the text is looked at. A variable of the program that is named like a global of Node, such as `performance`, is
 * taken for that global, unless the way it is used tells: `crypto.createHash`, or `await setTimeout(100)`.
 */
export function inlineSource(fn: AnyFunction, caller: string): string {
  const known = byFunction.get(fn);
  if (known !== undefined) return known;
  const errors = new InlineErrors(caller);
  if (typeof fn !== "function") throw errors.noFunction(fn);
  const text = Function.prototype.toString.call(fn);
  const source = byText.get(text) ?? checkedSource(fn, text, errors);
  if (byText.size >= KEPT_TEXTS) byText.clear();
  byText.set(text, source);
  byFunction.set(fn, source);
  return source;
}

function checkedSource(fn: AnyFunction, text: string, errors: InlineErrors): string {
  // Some of Node's globals are written in JavaScript.
  const path = pathOfGlobal(fn);
  if (path !== null) throw errors.builtIn(path);
  try {
    return sourceOf(fn, text, errors);
  } catch (refusal) {
    // So are most of the functions of its modules, and what they use inside does not matter.
    const exported = exportOfNode(fn);
    throw exported === null ? refusal : errors.exportOfNode(exported);
  }
}

/** The source of a function whose text says all there is to it. */
function sourceOf(fn: AnyFunction, text: string, errors: InlineErrors): string {
  if (/\{\s*\[native code\]\s*\}$/.test(text)) throw errors.native(nameOf(fn));
  const read = readFunction(text);
  if ("problem" in read) throw errors.unreadable(read.problem);
  const { root, program, source } = read;
  if (root.type === "ClassExpression") throw errors.class(nameOf(fn));
  if (root.generator) throw errors.generator();
  const found = outerReference(root);
  if (found !== null) throw errors.outerReference(found);
  const free = freeIdentifiers(program);
  const captured = new Set(free.map(({ name }) => name).filter((name) => !isGlobalOfWorkers(name)));
  if (captured.size > 0) throw errors.captured([...captured]);
  const imported = shadowedGlobal(program, free);
  if (imported !== null) throw errors.shadowedGlobal(imported);
  return source;
}

/** A class may have a static member of that name. */
function nameOf(fn: AnyFunction): string {
  const name: unknown = fn.name;
  return typeof name === "string" ? name : "";
}
