import { PawlError } from "../../errors.ts";
import { markAsUncloneable } from "../../uncloneable.ts";
import { type HandleState, toHandle } from "../transfer/pack.ts";
import type { ActorCallOptions } from "./options.ts";

/** The kind of handle on its way to another worker. */
export const ACTOR = "actor";

/** What another worker needs in order to call an actor. */
export interface ActorHandleState {
  readonly id: string;
  readonly name: string;
  readonly methods: readonly string[];
  readonly maxPending: number;
}

/** What a handle calls: an actor of this thread, or the way to one that a thread above owns. */
export interface ActorTarget {
  /** Of the actor, the same wherever there is a handle to it. */
  readonly id: string;
  /** The name of the class, for people. */
  readonly name: string;
  readonly methods: readonly string[];
  readonly maxPending: number;
  call(method: string, args: readonly unknown[], options: ActorCallOptions): Promise<unknown>;
  /** Ends the actor, where this thread owns it. */
  dispose(): Promise<void>;
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

const targets = new WeakMap<object, ActorTarget>();

/** The target behind a handle; undefined for anything else. */
export function targetOf(handle: unknown): ActorTarget | undefined {
  return typeof handle === "object" && handle !== null ? targets.get(handle) : undefined;
}

/** Names that the language, and code which prints or compares objects, read from any object. */
const NOT_CALLED = new Set(["then", "toJSON", "inspect", "asymmetricMatch", "nodeType", "$$typeof"]);

/** What every object has, and a handle too. */
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** A handle whose calls are made with these options. */
export function handleOf(target: ActorTarget, options: ActorCallOptions = {}): object {
  const handle: object = Object.create(missingMethods(target));
  for (const method of target.methods) {
    define(handle, method, (...args: unknown[]) => target.call(method, args, options));
  }
  define(handle, toHandle, (): HandleState => {
    const { id, name, methods, maxPending } = target;
    const state: ActorHandleState = { id, name, methods, maxPending };
    return { kind: ACTOR, state };
  });
  define(handle, Symbol.asyncDispose, () => target.dispose());
  define(handle, Symbol.toStringTag, `Actor ${target.name}`);
  targets.set(handle, target);
  markAsUncloneable(handle);
  return handle;
}

/** The prototype of a handle: a method that the class does not have rejects with an error that names those it has. */
function missingMethods(target: ActorTarget): object {
  return new Proxy(Object.prototype, {
    get: (inherited, name, receiver) => {
      if (typeof name === "symbol" || INHERITED.has(name)) return Reflect.get(inherited, name, receiver);
      if (NOT_CALLED.has(name)) return undefined;
      return () => {
        const methods = target.methods.length === 0 ? "no methods" : `only ${target.methods.join(", ")}`;
        const sentence = `${target.name} has no method ${name} that a handle could call, ${methods}: a property needs a method that returns it.`;
        return Promise.reject(new PawlError("pool.actor-method", sentence));
      };
    },
  });
}

function define(handle: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(handle, name, { value });
}
