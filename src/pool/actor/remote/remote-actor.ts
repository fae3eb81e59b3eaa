import { limitFrom } from "../../options.ts";
import { shareableKind } from "../../transfer/pack.ts";
import { tooManyPending } from "../errors.ts";
import { ACTOR, type ActorHandleState, type ActorTarget, handleOf } from "../handle.ts";
import type { ActorCallOptions } from "../options.ts";
import { ownedActor } from "./actor-registry.ts";
import { callThroughParent, pendingCalls } from "./parent-calls.ts";

/** An actor that a thread above this worker owns. Calls go there through the worker's parent. */
export class RemoteActor implements ActorTarget {
  readonly id: string;
  readonly name: string;
  readonly methods: readonly string[];
  readonly maxPending: number;

  constructor({ id, name, methods, maxPending }: ActorHandleState) {
    this.id = id;
    this.name = name;
    this.methods = methods;
    this.maxPending = maxPending;
  }

  call(method: string, args: readonly unknown[], options: ActorCallOptions): Promise<unknown> {
    if (pendingCalls(this.id) >= this.maxPending) {
      return Promise.reject(tooManyPending(this.name, this.maxPending));
    }
    return callThroughParent(this.id, this.name, method, args, limitFrom(options.timeout), options.signal);
  }

  /** It is for its owner to end. */
  async dispose(): Promise<void> {}
}

shareableKind(ACTOR, (state: ActorHandleState) => handleOf(ownedActor(state.id) ?? new RemoteActor(state)));
