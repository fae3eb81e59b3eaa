import type { ActorSetup, ToActor } from "../actor/protocol.ts";
import type { Line } from "./line.ts";
import type { Notes } from "./marker.ts";
import type { ToWorker, WorkerSetup } from "./protocol.ts";
import { serve } from "./serve.ts";

/** What a worker is started with: one of a pool, or one that is an actor. */
export type Setup = WorkerSetup | ActorSetup;

/** Serves a pool, or as an actor, whose code most workers never need. Returns what to call with each message. */
export function serveAny(line: Line<unknown>, setup: Setup, notes: Notes): (message: unknown) => void {
  if (!("actor" in setup)) {
    const take = serve(line, setup, notes);
    return (message) => take(message as ToWorker);
  }
  // Nothing is sent to an actor before it says that it is ready.
  let take: ((message: ToActor) => void) | null = null;
  void import("../actor/serve.ts").then(({ serveActor }) => {
    take = serveActor(line, setup, notes.note);
  });
  return (message) => take?.(message as ToActor);
}
