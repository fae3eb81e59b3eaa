import type { Order } from "./attempt.ts";

/** What a child is started with. */
export interface ChildSetup {
  /** The URLs of the modules that define the tasks. */
  readonly modules: readonly string[];
  /** Of the store, which a child opens when it first writes to it. */
  readonly address: string;
}

/** One attempt for a child. */
export interface ChildOrder extends Order {
  /** The file that the attempt's log goes to. */
  readonly log: string;
  readonly softMs: number | null;
}

/** Why an attempt shall stop, in the words that cross to the child. */
export const STOP = {
  cancelled: "pawl: cancelled",
  stopped: "pawl: the worker stops",
  lost: "pawl: another worker has the task",
} as const;
