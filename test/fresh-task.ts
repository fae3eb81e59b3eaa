import type { TaskRecord } from "../src/store/contract.ts";

/** What a store says of every task that no worker has touched. */
export const FRESH_TASK = {
  state: "waiting",
  fence: 0,
  worker: null,
  failures: 0,
  crashes: 0,
  cancelRequested: false,
  progress: null,
  result: null,
  error: null,
  startedAt: null,
  settledAt: null,
} as const satisfies Partial<TaskRecord>;
