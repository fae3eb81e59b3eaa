import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import {
  type AnyClass,
  type AnyFunction,
  callableReference,
  isClass,
  isLoading,
  unguarded,
} from "../callable/callable.ts";
import { type Actor, handleOf } from "./handle.ts";
import { type ActorOptions, actorSettings, type ReplicaOptions } from "./options.ts";
import { OwnedActor } from "./owner/owned-actor.ts";

/**
 * Makes an object of the class in a worker of its own, and resolves with a handle to it once it is made. Each public
 * method of the class is one of the handle that returns a promise. The class is made known to workers in its module, by
 * `callable`.
 *
 * Calls run one after the other, in the order in which each caller made them. What is passed and returned is copied,
 * when the call is sent; shared arrays, refs, locks, counters and handles stay what they are. An idle actor lets the
 * program end. `await using` ends the actor with its block; `control(handle)` has the rest.
 *
 * When the worker dies, calls that ran fail with ActorDiedError, and those that had not begun wait for the next worker,
 * where `maxRestarts` allows one. It has the state of a new object, unless the class has both methods `save()` and
 * `restore(state)`: then the state is saved together with the result of every call (`saveEvery`), and so holds the
 * effect of exactly the calls that have ended.
 *
 * @throws what the constructor throws; PawlError `pool.actor-class` for a class that workers cannot find; ActorDiedError
 * `pool.actor-died`; PawlError `pool.start-timeout`; `pool.option`, `argument.duration` and `argument.size` for an option that
 * cannot be
 * @example
 * ```ts
 * class Tally {
 *   #sum = 0;
 *   add(n: number) {
 *     this.#sum += n;
 *     return this.#sum;
 *   }
 * }
 * callable(import.meta, Tally);
 *
 * if (import.meta.main) {
 *   await using tally = await actor(Tally, []);
 *   await tally.add(1);
 *   console.log(await tally.add(2)); // 3
 * }
 * ```
 */
export function actor<C extends AnyClass>(
  Class: C,
  args: ConstructorParameters<C>,
  options: ActorOptions = {},
): Promise<Actor<InstanceType<C>>> {
  return open("actor", 1, Class, args, options);
}

/**
 * Makes so many actors that are alike, and one handle to all of them: each call goes to one, and while one is dead to
 * the others.
 *
 * @throws as `actor`, and PawlError `pool.option` for a count that is not a whole number of at least 1
 * @example
 * ```ts
 * class Model {
 *   predict(x: number) {
 *     return x * 2;
 *   }
 * }
 * callable(import.meta, Model);
 *
 * if (import.meta.main) {
 *   await using model = await replicas(4, Model, [], { route: "leastBusy", maxRestarts: 3 });
 *   console.log(await Promise.all([1, 2, 3].map((x) => model.predict(x)))); // [ 2, 4, 6 ]
 * }
 * ```
 */
export function replicas<C extends AnyClass>(
  count: number,
  Class: C,
  args: ConstructorParameters<C>,
  options: ReplicaOptions = {},
): Promise<Actor<InstanceType<C>>> {
  return open("replicas", count, Class, args, options);
}

async function open<C extends AnyClass>(
  caller: string,
  count: number,
  Class: C,
  args: ConstructorParameters<C>,
  options: ReplicaOptions,
): Promise<Actor<InstanceType<C>>> {
  if (isLoading()) throw unguarded();
  const settings = actorSettings(options);
  if (!Number.isInteger(count) || count < 1)
    throw new PawlError(
      "pool.option",
      `The number of replicas must be a whole number, at least 1, not ${shown(count)}.`,
    );
  const made = new OwnedActor({ ...known(Class, caller), args }, count, settings);
  try {
    await made.started;
  } catch (error) {
    await made.terminate();
    throw error;
  }
  return handleOf(made) as Actor<InstanceType<C>>;
}

function known(Class: unknown, caller: string) {
  if (typeof Class !== "function" || !isClass(Class as AnyFunction)) {
    const given = typeof Class === "function" ? `the function ${Class.name}` : typeof Class;
    throw new PawlError("pool.actor-class", `${caller} makes an object of a class, but was given ${given}.`);
  }
  const name = Class.name || "(anonymous)";
  const reference = callableReference(Class as AnyFunction);
  if (reference === null) {
    throw new PawlError(
      "pool.actor-class",
      `${caller} was given the class ${name}, which workers cannot find: write callable(import.meta, ${name}) below it, at the top level of its module.`,
    );
  }
  return { name, reference };
}
