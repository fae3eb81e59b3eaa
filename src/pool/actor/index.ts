export { actor, replicas } from "./actor.ts";
export { callSignal } from "./call-signal.ts";
export type { ActorCallOptions } from "./callee.ts";
export { type ActorControl, control } from "./control.ts";
export { ActorDiedError } from "./died.ts";
export type { Actor } from "./handle.ts";
export type { ActorStats } from "./keeper.ts";
export type { ActorOptions, ReplicaOptions } from "./options.ts";
