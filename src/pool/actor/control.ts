import { PawlError } from "../../errors.ts";
import { limitFrom } from "../options.ts";
import { type Actor, handleOf, targetOf } from "./handle.ts";
import type { ActorCallOptions } from "./options.ts";
import { OwnedActor } from "./owner/owned-actor.ts";
import type { ActorStats } from "./owner/supervisor.ts";

/** What can be done with an actor beside calling it. All but `with` is for the thread that made it. */
export interface ActorControl<T> {
  /**
   * A handle to the same actor, whose calls have these options: `control(model).with({ timeout: "500ms" }).predict(x)`.
   *
   * @throws PawlError `pool.option` and `argument.duration` for a timeout that cannot be
   */
  with(options: ActorCallOptions): Actor<T>;
  /** The actor in numbers; of replicas, each of them. */
  stats(): ActorStats[];
  /** Resolves when a call would not fail with `pool.actor-busy`. */
  room(): Promise<void>;
  /**
   * Takes no more calls, waits for those there are, calls the object's own `[Symbol.asyncDispose]` or
   * `[Symbol.dispose]`, and ends the worker.
   *
   * @throws what that method of the object threw
   */
  close(): Promise<void>;
  /** Ends the worker now. Calls without a result fail with `pool.actor-terminated`. */
  terminate(): Promise<void>;
}

/**
 * The actor behind a handle; its controls are not methods of the handle, since the class may have methods of those
 * names.
 *
 * @throws PawlError `pool.actor-handle` for anything but a handle; all methods but `with` throw PawlError `pool.actor-owner` in a
 * worker that was passed the handle
 * @example
 * ```ts
 * class Tally {
 *   sum = 0;
 *   add(n: number) {
 *     this.sum += n;
 *     return this.sum;
 *   }
 * }
 * callable(import.meta, Tally);
 *
 * if (import.meta.main) {
 *   const tally = await actor(Tally, []);
 *   console.log(await control(tally).with({ timeout: "1s" }).add(5)); // 5
 *   console.log(control(tally).stats()[0]?.calls); // 1
 *   await control(tally).close();
 * }
 * ```
 */
export function control<T>(handle: Actor<T>): ActorControl<T> {
  const target = targetOf(handle);
  if (target === undefined) {
    throw new PawlError("pool.actor-handle", "control takes a handle, which actor and replicas return.");
  }
  const owned = () => {
    if (target instanceof OwnedActor) return target;
    throw new PawlError(
      "pool.actor-owner",
      `The actor ${target.name} was made in another thread, and only there can it be controlled; here it can be called.`,
    );
  };
  return {
    with: (options) => {
      limitFrom(options.timeout);
      return handleOf(target, options) as Actor<T>;
    },
    stats: () => owned().stats(),
    room: async () => await owned().room(),
    close: async () => await owned().close(),
    terminate: async () => await owned().terminate(),
  };
}
