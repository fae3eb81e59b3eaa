export { LostError, PawlError, TransientError } from "../errors.ts";
export { type Backoff, backoffDelay } from "./backoff.ts";
export { liveWorkers, takeOver } from "./take-over.ts";
export { CancelledError, PermanentError, Snooze, StoppedError } from "./verdicts.ts";
export { type Handler, type TaskContext, Worker, type WorkerOptions } from "./worker.ts";
export { isDead, parseWorkerId } from "./worker-id.ts";
