export { ActorDiedError } from "../errors.ts";
export { actor, replicas } from "./actor.ts";
export { callSignal } from "./call-signal.ts";
export { type ActorControl, control } from "./control.ts";
export type { Actor } from "./handle.ts";
export type { ActorOptions, ReplicaOptions } from "./options.ts";
export type { ActorStats } from "./owner/supervisor.ts";
export type { ActorCallOptions } from "./registry.ts";
