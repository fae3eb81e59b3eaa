import "../node-version.ts";

export { PawlError } from "../errors.ts";
export type { Rate } from "../rate-limit.ts";
export {
  type Actor,
  type ActorCallOptions,
  type ActorControl,
  ActorDiedError,
  type ActorOptions,
  type ActorStats,
  actor,
  callSignal,
  control,
  type ReplicaOptions,
  replicas,
} from "./actor/index.ts";
export { callable } from "./callable/callable.ts";
export type { FunctionExplanation } from "./calls/function-registry.ts";
export type { Settled } from "./calls/item-result.ts";
export { type Each, each } from "./each/each.ts";
export type { EachOptions } from "./each/options.ts";
export type { RetryOptions } from "./each/retry.ts";
export type { EachContext } from "./each/run.ts";
export { TimeLimitError, WorkerDiedError } from "./errors.ts";
export { asCompleted, Future, type WaitOptions, wait } from "./future.ts";
export type { CallOptions, ItemContext, MapOptions, PoolOptions, TimeLimit } from "./options.ts";
export { type Explanation, Pool } from "./pool.ts";
export {
  Counter,
  configureObjects,
  type Dtype,
  type ElementOf,
  get,
  Lock,
  type LockGuard,
  type LockOptions,
  type NestedArray,
  type ObjectOptions,
  type ObjectStats,
  objectStats,
  put,
  type Ref,
  type ShapeLike,
  type Shared,
  SharedArray,
} from "./shared/index.ts";
export type { Isolation } from "./transfer/pack.ts";
