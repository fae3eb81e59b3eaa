/** What the floors above need of tasks and users do not: not exported from the package. */
export type { Definition, InternalContext } from "./contract.ts";
export { internalTask } from "./define/definition.ts";
export { knownTasks } from "./define/registry.ts";
export { Worker, type WorkerOptions } from "./worker/worker.ts";
