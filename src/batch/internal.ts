/** What the floors above need of batches and users do not: not exported from the package. */
export type { AnyJob } from "./job/job.ts";
export { type CorrectedItems, openItems, replayJob } from "./quarantine/replay.ts";
export {
  assertResumable,
  cancel,
  pause,
  queueOf,
  runOfQueue,
  UNFINISHED,
  workersOf,
} from "./run/control.ts";
export {
  type DryRun,
  dryRun,
} from "./run/dry-run.ts";
export { execute } from "./run/execute.ts";
export { clearAway } from "./run/open-sink.ts";
export { type PreparedRun, type PrepareOptions, prepare } from "./run/prepare.ts";
export { AT_REST, readProgress, summaryOf } from "./run/progress.ts";
export { findRun } from "./run/run-reference.ts";
export { takePartInRuns } from "./run/take-part.ts";
