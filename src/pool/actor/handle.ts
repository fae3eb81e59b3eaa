import { PawlError } from "../../errors.ts";
import { markAsUncloneable } from "../../uncloneable.ts";
import { type HandleState, toHandle } from "../transfer/portable.ts";
import type { ActorCallOptions, Callee } from "./target.ts";

/** The kind of handle on its way to another worker. */
export const ACTOR = "actor";

/** What another worker needs in order to call an actor. */
export interface ActorState {
  readonly id: string;
  readonly name: string;
  readonly methods: readonly string[];
  readonly maxPending: number;
}

type Answered<A extends readonly unknown[], R> = (...args: A) => Promise<Awaited<R>>;

/**
 * A handle to an object in a worker of its own. It has the public methods of the object's class, each of which returns
 * a promise of its result. It can be passed to functions of a pool and to other actors, and works there too.
 */
export type Actor<T> = {
  readonly [K in keyof T as K extends "then" | symbol | number
    ? never
    : T[K] extends (...args: never[]) => unknown
      ? K
      : never]: T[K] extends (...args: infer A) => infer R ? Answered<A, R> : never;
} & AsyncDisposable;

const callees = new WeakMap<object, Callee>();

/** The callee behind a handle; undefined for anything else. */
export function calleeOf(handle: unknown): Callee | undefined {
  return typeof handle === "object" && handle !== null ? callees.get(handle) : undefined;
}

/** Names that are asked of any object by the language and by who prints or compares it. */
const NOT_CALLED = new Set(["then", "toJSON", "inspect", "asymmetricMatch", "nodeType", "$$typeof"]);

/** What every object has, and a handle too. */
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** A handle whose calls are made with these options. */
export function handleOf(callee: Callee, options: ActorCallOptions = {}): object {
  const handle: object = Object.create(strangers(callee));
  for (const method of callee.methods) {
    define(handle, method, (...args: unknown[]) => callee.call(method, args, options));
  }
  define(handle, toHandle, (): HandleState => {
    const { id, name, methods, maxPending } = callee;
    const state: ActorState = { id, name, methods, maxPending };
    return { kind: ACTOR, state };
  });
  define(handle, Symbol.asyncDispose, () => callee.dispose());
  define(handle, Symbol.toStringTag, `Actor ${callee.name}`);
  callees.set(handle, callee);
  markAsUncloneable(handle);
  return handle;
}

/** Stands behind the methods, so that one which is not there says what is. */
function strangers(callee: Callee): object {
  return new Proxy(Object.prototype, {
    get: (target, name, receiver) => {
      if (typeof name === "symbol" || INHERITED.has(name)) return Reflect.get(target, name, receiver);
      if (NOT_CALLED.has(name)) return undefined;
      return () => {
        const methods = callee.methods.length === 0 ? "no methods" : `only ${callee.methods.join(", ")}`;
        const sentence = `${callee.name} has no method ${name} that a handle could call, ${methods}: a property needs a method that returns it.`;
        return Promise.reject(new PawlError("pool.actor-method", sentence));
      };
    },
  });
}

function define(handle: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(handle, name, { value });
}
