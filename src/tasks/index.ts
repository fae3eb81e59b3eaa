import "../node-version.ts";

export { type Duration, parseDuration } from "../durations.ts";
export { LostError, PawlError, TransientError } from "../errors.ts";
export { type Backoff, backoffDelay } from "../retry.ts";
export { CancelledError, PermanentError, Snooze, SoftLimitError, StoppedError } from "./attempt/errors.ts";
export { type Client, connect } from "./client/client.ts";
export { defaultLocation, disconnect, handleOf, useStore } from "./client/default-client.ts";
export { TaskFailedError, type TaskHandle, type TaskStatus } from "./client/handle.ts";
export { type Progress, progressOf } from "./client/progress.ts";
export type { Stored } from "./client/stored-value.ts";
export { type Change, type SubscribeOptions, type Subscription, subscribe } from "./client/subscribe.ts";
export type {
  AnyTask,
  AttemptContext,
  EnqueueManyOptions,
  EnqueueOptions,
  Flow,
  FlowOptions,
  LinkOptions,
  Task,
  TaskIsolation,
  TaskOptions,
} from "./contract.ts";
export type { RateLimit } from "./define/rate-limit.ts";
export type { Schema } from "./define/schema.ts";
export { task } from "./define/task.ts";
export { atLeast, chain, chord, type GroupOptions, group, type Policy } from "./flow/flow.ts";
export type { Link } from "./flow/link.ts";
export type { Member, Members } from "./flow/members.ts";
export { groupsWithin, linksAfter } from "./flow/spec.ts";
export {
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleOptions,
  schedule,
} from "./schedule/schedule.ts";
export { type CatchUp, type ScheduleTimes, type TimesSpec, timesOf } from "./schedule/times.ts";
export { meterStore } from "./telemetry/meter-store.ts";
export { metricsText, metricsType } from "./telemetry/prometheus.ts";
export { liveWorkers, takeOver } from "./worker/orphans.ts";
export { queueRates, RUN_QUEUES } from "./worker/queue-rates.ts";
export type { Queues } from "./worker/queues.ts";
export {
  type DrainOptions,
  type RunningWorker,
  type StartOptions,
  startWorker,
} from "./worker/start-worker.ts";
export type { WorkerHealth } from "./worker/worker.ts";
export { isDead, parseWorkerId } from "./worker/worker-id.ts";
