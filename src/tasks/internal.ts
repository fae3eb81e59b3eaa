/** What the floors above need of tasks and users do not: not exported from the package. */

export { progressOf } from "./client/handle.ts";
export type { Definition, InternalContext } from "./contract.ts";
export { knownTasks } from "./define/registry.ts";
export { internalTask } from "./define/task.ts";
export { type TimesSpec, timesOf } from "./schedule/times.ts";
export { groupsWithin, linksAfter } from "./task-meta.ts";
export { queueRates, RUN_QUEUES, SILENT_AFTER_MS } from "./worker/heartbeat.ts";
export { liveWorkers, rescueOrphans } from "./worker/orphan-rescue.ts";
export { POISON_AFTER, Worker, type WorkerOptions } from "./worker/worker.ts";
export { isDead, parseWorkerId } from "./worker/worker-id.ts";
