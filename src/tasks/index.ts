import "../node-version.ts";

export { type Duration, parseDuration } from "../durations.ts";
export { LostError, PawlError, TransientError } from "../errors.ts";
export { type Backoff, backoffDelay } from "../retry.ts";
export { CancelledError, PermanentError, Snooze, SoftLimitError, StoppedError } from "./attempt/errors.ts";
export { type Client, connect } from "./client/client.ts";
export { defaultLocation, disconnect, handleOf, useStore } from "./client/default-client.ts";
export { type Progress, TaskFailedError, type TaskHandle, type TaskStatus } from "./client/handle.ts";
export { type Change, type SubscribeOptions, type Subscription, subscribe } from "./client/subscribe.ts";
export type {
  AnyTask,
  AttemptContext,
  EnqueueManyOptions,
  EnqueueOptions,
  Flow,
  FlowOptions,
  LinkOptions,
  RateLimit,
  Task,
  TaskIsolation,
  TaskOptions,
} from "./contract.ts";
export type { Schema } from "./define/schema.ts";
export { task } from "./define/task.ts";
export { atLeast, chain, chord, type GroupOptions, group, type Policy } from "./flow/flow.ts";
export type { GroupResults, MemberResult } from "./flow/group-results.ts";
export type { Link } from "./flow/link.ts";
export {
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleOptions,
  schedule,
} from "./schedule/schedule.ts";
export type { CatchUp, ScheduleTimes } from "./schedule/times.ts";
export type { Stored } from "./stored-value.ts";
export { meterStore } from "./telemetry/meter-store.ts";
export { metricsText, metricsType } from "./telemetry/prometheus.ts";

export type { Queues } from "./worker/slot-group.ts";
export {
  type DrainOptions,
  type RunningWorker,
  type StartOptions,
  startWorker,
} from "./worker/start-worker.ts";
export type { WorkerHealth } from "./worker/worker.ts";
