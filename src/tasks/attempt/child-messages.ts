import type { Claim, TaskResult } from "../../store/contract.ts";
import type { Trace } from "../telemetry/trace.ts";

/** What a child is started with. */
export interface ChildSetup {
  /** The URLs of the modules that define the tasks. */
  readonly modules: readonly string[];
  /** Of the store, which a child opens when it first writes to it. */
  readonly address: string;
}

/** One attempt for a child. */
export interface ChildRequest {
  readonly claim: Claim;
  /** Of the attempt itself. */
  readonly trace: Trace | null;
  /** The file that the attempt's log goes to. */
  readonly log: string;
  readonly softMs: number | null;
}

/** What the attempt came to. The value of a success is sent as JSON, because a copy of an object loses its class. */
export interface ChildReply {
  readonly result: TaskResult | null;
  readonly value: string | null;
}

/** Why an attempt should stop, in the words that cross to the child. */
export const STOP = {
  cancelled: "pawl: cancelled",
  stopped: "pawl: the worker stops",
  lost: "pawl: another worker has the task",
} as const;
