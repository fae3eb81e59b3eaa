import { AsyncLocalStorage } from "node:async_hooks";
import { hash } from "node:crypto";
import { errorReason, errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";

/** Any function whatever. */
export type AnyFunction = (...args: never[]) => unknown;

/** Any class of which objects can be made. */
export type AnyClass = new (...args: never[]) => object;

/** Where a worker finds a function again: in a module, by the order in which the module made its callables. */
export interface CallableReference {
  readonly kind: "module";
  /** The URL of the module. */
  readonly module: string;
  /** Which of the module's callables it is, from 0. */
  readonly index: number;
  /** Of the function's source, so that another version is noticed. */
  readonly digest: string;
}

interface Registry {
  /** By the URL of a module: its callables in order of evaluation. */
  readonly modules: Map<string, AnyFunction[]>;
  readonly positions: WeakMap<AnyFunction, { readonly module: string; readonly index: number }>;
  /** The URL of the module for whose sake a worker loads code, in whatever that code sets going. */
  readonly loading: AsyncLocalStorage<string>;
}

const SYMBOL = Symbol.for("pawl.callables");

/** One for the thread: a bundle may bring a second copy of this file, and both must know the same functions. */
const registry: Registry = shared();

function shared(): Registry {
  const holder = globalThis as { [SYMBOL]?: Registry };
  holder[SYMBOL] ??= { modules: new Map(), positions: new WeakMap(), loading: new AsyncLocalStorage() };
  return holder[SYMBOL];
}

/**
 * Makes a function of a module known to workers, and returns it as it is. They import the module, once, and take the
 * function from it, with everything it uses there. A class is made known in the same way, for `actor`, below its
 * definition: `callable(import.meta, Model);`
 *
 * Call it at the top level of the module, so that every process meets its callables in the same order. Code that
 * only the main program should run belongs under `if (import.meta.main)`.
 *
 * @throws PawlError `pool.callable-meta` when the module has no URL, `pool.callable-function` for anything but a function
 * @example
 * ```ts
 * export const square = callable(import.meta, (x: number) => x * x);
 *
 * if (import.meta.main) {
 *   await using pool = new Pool();
 *   console.log(await pool.map(square, [1, 2, 3])); // [ 1, 4, 9 ]
 * }
 * ```
 */
export function callable<F extends AnyFunction | AnyClass>(meta: ImportMeta, fn: F): F {
  const module: unknown = meta?.url;
  if (typeof module !== "string") {
    throw new PawlError(
      "pool.callable-meta",
      "callable() was given no import.meta with a URL, without which a worker cannot find the module: write callable(import.meta, …), and have a bundler write ES modules.",
    );
  }
  if (typeof fn !== "function") {
    const given = fn === null ? "null" : typeof fn;
    throw new PawlError(
      "pool.callable-function",
      `callable() in ${module} takes a function as its second argument, but was given ${given}: write callable(import.meta, (item) => …).`,
    );
  }
  const functions = registry.modules.get(module) ?? [];
  registry.modules.set(module, functions);
  const known = fn as AnyFunction;
  const index = functions.push(known) - 1;
  // Known twice is found the first way.
  if (!registry.positions.has(known)) registry.positions.set(known, { module, index });
  return fn;
}

/** How a worker finds the function; null for one that `callable` never saw. */
export function callableReference(fn: AnyFunction): CallableReference | null {
  const position = registry.positions.get(fn);
  return position === undefined ? null : { kind: "module", ...position, digest: digestOf(fn) };
}

/**
 * Finds the function in its module, which is imported the first time. Throws a PawlError when the module cannot be
 * loaded, lacks the function or holds another version of it.
 */
export async function resolveCallable(reference: CallableReference): Promise<AnyFunction> {
  const { module, index, digest } = reference;
  const { functions, namespace } = await load(module);
  const fn = functions[index];
  if (fn === undefined) {
    throw new PawlError(
      "pool.callable-missing",
      `A worker found ${count(functions.length)} in ${module}, and so none at position ${index + 1}: call callable() at the top level of the module, neither inside a function nor under a condition such as import.meta.main.`,
    );
  }
  if (digestOf(fn) !== digest) {
    const name = Object.keys(namespace).find((each) => namespace[each] === fn) ?? fn.name;
    throw new PawlError(
      "pool.callable-mismatch",
      `A worker found another version of function ${index + 1} in ${module}${name ? ` (${name})` : ""}: leave the file as it is while a pool runs, and see that every process compiles it in the same way and calls callable() in the same order.`,
    );
  }
  return fn;
}

/**
 * Whether this code runs because a worker loads a module for its callables: at the top level of that module or of one
 * it imports, or in what such a top level set going and did not wait for. Other work of the same worker, though it
 * runs in between, is not meant.
 */
export function isLoading(): boolean {
  return registry.loading.getStore() !== undefined;
}

/** The error for a pool that is used while `isLoading()`: every worker would start a pool, and theirs too. */
export function unguarded(): PawlError {
  const module = registry.loading.getStore();
  return new PawlError(
    "pool.unguarded-main",
    `${module ?? "A module"} starts a pool while a worker loads it to find a function: put that code under if (import.meta.main), or the function in a module of its own.`,
  );
}

interface Loaded {
  readonly functions: readonly AnyFunction[];
  readonly namespace: Readonly<Record<string, unknown>>;
}

const loads = new Map<string, Promise<Loaded>>();

function load(module: string): Promise<Loaded> {
  const known = loads.get(module);
  if (known) return known;
  const loaded = importCallables(module);
  loads.set(module, loaded);
  // The loader remembers what must not be tried again; a file that was missing may come.
  loaded.catch(() => loads.delete(module));
  return loaded;
}

async function importCallables(module: string): Promise<Loaded> {
  try {
    const namespace = await registry.loading.run(module, () => import(module));
    // A copy: what the module's functions register later has no position that other processes agree on.
    return { functions: [...(registry.modules.get(module) ?? [])], namespace };
  } catch (error) {
    throw loadError(module, error);
  }
}

function loadError(module: string, error: unknown): unknown {
  const { code, url } = (error ?? {}) as { code?: unknown; url?: unknown };
  if (code === "pool.unguarded-main") return error;
  if (code === "ERR_MODULE_NOT_FOUND" && url === module) {
    return new PawlError(
      "pool.callable-import",
      `A worker cannot find ${module}, where callable() was called: keep the function in a file that stays where it is while the pool runs.`,
      { cause: error },
    );
  }
  const [line = ""] = errorText(error).split("\n", 1);
  const why = errorReason(line);
  return new PawlError(
    "pool.callable-import",
    `A worker cannot load ${module}, where callable() was called (${why}): move the function to a module that needs only what workers have too.`,
    { cause: error },
  );
}

function digestOf(fn: AnyFunction): string {
  return hash("sha256", Function.prototype.toString.call(fn), "base64url").slice(0, 16);
}

/** A method may be called `class`. */
export function isClass(fn: AnyFunction): boolean {
  return /^class\b(?!\s*\()/.test(Function.prototype.toString.call(fn));
}

function count(callables: number): string {
  if (callables === 0) return "no callables";
  return callables === 1 ? "1 callable" : `${callables} callables`;
}
