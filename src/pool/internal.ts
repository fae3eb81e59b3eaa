/** What the floors above need of the pool and users do not. */

export type { AnyFunction } from "./callable/callable.ts";
export { type FunctionReference, referenceTo, resolveReference } from "./callable/reference.ts";
export { type FunctionFacts, functionFacts, workersOf } from "./pool.ts";
export { privateDirectory } from "./shared/objects/private-directory.ts";
export { assertCloneable } from "./transfer/cloneable.ts";
export { pack, toHandle } from "./transfer/pack.ts";
