export { type Duration, parseDuration } from "../durations.ts";
export { LostError, PawlError, TransientError } from "../errors.ts";
export { type Backoff, backoffDelay } from "../retry.ts";
export { type Client, connect } from "./client.ts";
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
export { defaultLocation, disconnect, handleOf, useStore } from "./default-client.ts";
export { atLeast, chain, chord, type GroupOptions, group, type Policy } from "./flow/flow.ts";
export type { Link } from "./flow/link.ts";
export type { Member, Members } from "./flow/members.ts";
export { groupsWithin, linksAfter } from "./flow/spec.ts";
export { TaskFailedError, type TaskHandle, type TaskStatus } from "./handle.ts";
export type { Queues } from "./lines.ts";
export { type Progress, progressOf } from "./progress.ts";
export { queueRates, RUN_QUEUES } from "./queue-rates.ts";
export type { RateLimit } from "./rate.ts";
export type { Ending, Handler, Runner, TaskContext } from "./runner.ts";
export {
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleOptions,
  schedule,
} from "./schedule/schedule.ts";
export { type CatchUp, type ScheduleTimes, type TimesSpec, timesOf } from "./schedule/times.ts";
export type { Schema } from "./standard-schema.ts";
export { type DrainOptions, type RunningWorker, type StartOptions, startWorker } from "./start-worker.ts";
export type { Stored } from "./stored.ts";
export { type Change, type SubscribeOptions, type Subscription, subscribe } from "./subscribe.ts";
export { liveWorkers, takeOver } from "./take-over.ts";
export { task } from "./task.ts";
export { meterStore } from "./telemetry/meter-store.ts";
export { metricsText, metricsType } from "./telemetry/prometheus.ts";
export { CancelledError, PermanentError, Snooze, SoftLimitError, StoppedError } from "./verdicts.ts";
export { type StopOptions, Worker, type WorkerOptions } from "./worker.ts";
export { isDead, parseWorkerId } from "./worker-id.ts";
