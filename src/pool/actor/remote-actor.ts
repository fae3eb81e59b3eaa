import { limitFrom } from "../options.ts";
import { portableKind } from "../transfer/portable.ts";
import { ACTOR, type ActorState, handleOf } from "./handle.ts";
import { askUp, pendingUp, tooManyPending } from "./parent-calls.ts";
import { type ActorCallOptions, type Callee, ownedActor } from "./target.ts";

/** An actor that a thread above this worker owns. Calls go there through the worker's parent. */
export class RemoteActor implements Callee {
  readonly id: string;
  readonly name: string;
  readonly methods: readonly string[];
  readonly maxPending: number;

  constructor({ id, name, methods, maxPending }: ActorState) {
    this.id = id;
    this.name = name;
    this.methods = methods;
    this.maxPending = maxPending;
  }

  call(method: string, args: readonly unknown[], options: ActorCallOptions): Promise<unknown> {
    if (pendingUp(this.id) >= this.maxPending) {
      return Promise.reject(tooManyPending(this.name, this.maxPending));
    }
    return askUp(this.id, this.name, method, args, limitFrom(options.timeout), options.signal);
  }

  /** It is for its owner to end. */
  async dispose(): Promise<void> {}
}

portableKind(ACTOR, (state: ActorState) => handleOf(ownedActor(state.id) ?? new RemoteActor(state)));
