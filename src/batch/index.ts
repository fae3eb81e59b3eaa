export { ItemError, LostError, PawlError, TransientError } from "../errors.ts";
export { clearAway } from "./clear-away.ts";
export type * from "./contract.ts";
export {
  assertResumable,
  cancel,
  POISON_AFTER,
  pause,
  queueOf,
  runOfQueue,
  UNFINISHED,
  workersOf,
} from "./control.ts";
export { type ExecuteOptions, execute } from "./execute.ts";
export { RunHandle, type RunOptions, run } from "./handle.ts";
export { findRun } from "./identity.ts";
export {
  type AnyJob,
  defineJob,
  type Job,
  type JobModule,
  type StepContext,
  type StepResult,
} from "./job.ts";
export { type JoinOptions, joinRuns } from "./join.ts";
export { type Place, statePlace } from "./place.ts";
export { type PreparedRun, type PrepareOptions, prepare } from "./prepare.ts";
export { AT_REST, type RunProgress, readProgress, type ShardProgress } from "./progress.ts";
export { type FailureReason, failureReasons } from "./reasons.ts";
export { type Rehearsal, type RehearsedChunk, rehearse } from "./rehearse.ts";
export { type MendedItems, openItems, replayJob } from "./replay.ts";
export { type RunSummary, summaryOf } from "./summary.ts";
export type { Throttle } from "./throttle.ts";
export { outsideOf, whileFile, whileLoadAbove } from "./throttles.ts";
