import type { Duration } from "../../durations.ts";
import type { TimeLimit } from "../options.ts";

/** What holds for a call of an actor. */
export interface ActorCallOptions {
  /**
   * How long the call may run, counted from its own start: a hard limit, or a soft and a hard one.
   * @default the timeout of the actor
   */
  readonly timeout?: Duration | TimeLimit;
  /** Withdraws the call while it waits; one that runs is told by its `callSignal()`. */
  readonly signal?: AbortSignal;
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

/** The actors that this thread owns and that have not ended, by id. */
const actors = new Map<string, ActorTarget>();

export function registerActor(target: ActorTarget): void {
  actors.set(target.id, target);
}

export function unregisterActor(target: ActorTarget): void {
  actors.delete(target.id);
}

export function ownedActor(id: string): ActorTarget | undefined {
  return actors.get(id);
}
