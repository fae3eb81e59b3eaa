import "../node-version.ts";

export { PawlError } from "../errors.ts";
export type { Rate } from "../rate-limit.ts";
export { actor, replicas } from "./actor/actor.ts";
export { callSignal } from "./actor/call-signal.ts";
export { type ActorControl, control } from "./actor/control.ts";
export type { Actor } from "./actor/handle.ts";
export type { ActorCallOptions, ActorOptions, ReplicaOptions } from "./actor/options.ts";
export type { ActorStats } from "./actor/owner/supervisor.ts";
export { callable } from "./callable/callable.ts";
export type { FunctionExplanation } from "./calls/function-registry.ts";
export type { Settled } from "./calls/item-result.ts";
export { type Each, each } from "./each/each.ts";
export type { EachOptions, RetryOptions } from "./each/options.ts";
export type { EachContext } from "./each/run.ts";
export { ActorDiedError, TimeLimitError, WorkerDiedError } from "./errors.ts";
export { asCompleted, type Future, type WaitOptions, wait } from "./future.ts";
export type { CallOptions, ItemContext, MapOptions, PoolOptions, TimeLimit } from "./options.ts";
export { type Explanation, Pool } from "./pool.ts";
export { Counter } from "./shared/counter.ts";
export { Lock, type LockGuard, type LockOptions } from "./shared/lock.ts";
export { configureObjects, get, objectStats, put, type Shared } from "./shared/objects/objects.ts";
export type { ObjectOptions, ObjectStats } from "./shared/objects/options.ts";
export type { Ref } from "./shared/objects/ref.ts";
export {
  type Dtype,
  type ElementOf,
  type NestedArray,
  type ShapeLike,
  SharedArray,
} from "./shared/shared-array.ts";
export type { Isolation } from "./transfer/cloneable.ts";
