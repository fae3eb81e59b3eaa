import "../node-version.ts";

export type { Duration } from "../durations.ts";
export { ItemError, LostError, PawlError, TransientError } from "../errors.ts";
export type { Size } from "../sizes.ts";
export type * from "./contract.ts";
export {
  defineJob,
  type Job,
  type JobModule,
  type TransformContext,
  type TransformResult,
} from "./job/job.ts";
export { whileFile, whileLoadAbove, whileOutside } from "./job/throttle.ts";
export { type FailureReason, failureReasons } from "./quarantine/reasons.ts";

export type { RunProgress, RunSummary, ShardProgress } from "./run/progress.ts";
export { RunFailedError, RunHandle, type RunOptions, run } from "./run/run.ts";
