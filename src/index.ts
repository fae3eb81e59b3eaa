/**
 * What most programs need, in one place. Everything else stands in the subpaths: `pawl/pool`, `pawl/tasks`, `pawl/batch`,
 * `pawl/connect/csv`, `pawl/connect/postgres`, `pawl/connect/objects`, `pawl/store`.
 */

import "./node-version.ts";

export { defineJob, RunFailedError, run } from "./batch/index.ts";
export { defineConfig, type PawlConfig, type PawlProfile } from "./cli/index.ts";
export { csv } from "./connect/csv/index.ts";
export { copy } from "./connect/objects/index.ts";
export { del, insert, postgres, table, update } from "./connect/postgres/index.ts";
export type { Duration } from "./durations.ts";
export { type ErrorCode, ItemError, LostError, PawlError, TransientError } from "./errors.ts";
export { actor, callable, each, Pool, SharedArray } from "./pool/index.ts";
export type { Size } from "./sizes.ts";
export { openStore } from "./store/index.ts";
export { chain, chord, group, schedule, startWorker, task, useStore } from "./tasks/index.ts";
