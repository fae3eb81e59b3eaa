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
export type { TimeLimit } from "./call.ts";
export { callable, isLoading } from "./callable.ts";
export type { ItemContext } from "./context.ts";
export type { EachContext } from "./each/attempt.ts";
export type { EachOptions } from "./each/options.ts";
export type { RetryOptions } from "./each/retry.ts";
export { type Each, each } from "./each.ts";
export { asCompleted, Future, type WaitOptions, wait } from "./future.ts";
export type { FunctionExplanation } from "./ledger.ts";
export type { Settled } from "./mapped.ts";
export type { CallOptions, MapOptions, PoolOptions } from "./options.ts";
export { type Explanation, Pool } from "./pool.ts";
export type { Isolation } from "./portable.ts";
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
export { WorkerDiedError } from "./worker/host.ts";
export { TimeLimitError } from "./worker/time-limit.ts";
