export { Counter } from "./counter.ts";
export { Lock, type LockGuard, type LockOptions } from "./lock.ts";
export type { Shared } from "./objects/objects.ts";
export { configureObjects, get, objectStats, put } from "./objects/objects.ts";
export type { ObjectOptions, ObjectStats } from "./objects/options.ts";
export type { Ref } from "./objects/ref.ts";
export type { Dtype, ElementOf, ShapeLike } from "./shared-array.ts";
export { type NestedArray, SharedArray } from "./shared-array.ts";
