import type { ActorTarget } from "../handle.ts";

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
