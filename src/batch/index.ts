import "../node-version.ts";

export { ItemError, LostError, PawlError, TransientError } from "../errors.ts";
export type * from "./contract.ts";
export {
  type AnyJob,
  defineJob,
  type Job,
  type JobModule,
  type StepContext,
  type StepResult,
} from "./job/job.ts";
export type { Throttle } from "./job/throttle.ts";
export { outsideOf, whileFile, whileLoadAbove } from "./job/throttle.ts";
export { type FailureReason, failureReasons } from "./quarantine/reasons.ts";
export { type MendedItems, openItems, replayJob } from "./quarantine/replay.ts";
export {
  assertResumable,
  cancel,
  POISON_AFTER,
  pause,
  queueOf,
  runOfQueue,
  UNFINISHED,
  workersOf,
} from "./run/control.ts";
export { type Rehearsal, type RehearsedChunk, rehearse } from "./run/dry-run.ts";
export { type ExecuteOptions, execute } from "./run/execute.ts";
export { findRun } from "./run/identity.ts";
export { type Place, statePlace } from "./run/location.ts";
export { clearAway } from "./run/open-sink.ts";
export { type PreparedRun, type PrepareOptions, prepare } from "./run/prepare.ts";
export {
  AT_REST,
  type RunProgress,
  type RunSummary,
  readProgress,
  type ShardProgress,
  summaryOf,
} from "./run/progress.ts";
export { RunHandle, type RunOptions, run } from "./run/run.ts";
export { type JoinOptions, joinRuns } from "./run/take-part.ts";
