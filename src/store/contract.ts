/**
 * What must survive a crash, and nothing else: tasks with their leases, runs with their history, quarantined
 * items. One folder a driver stands beside this file; every driver passes `test/store/conformance.ts`.
 *
 * Rules that hold for every operation:
 * - An operation takes a batch and is atomic: all of it happens, durably, before the promise resolves, or none.
 * - Time is the store's clock. Callers pass durations, never instants, and read instants the store wrote.
 * - A fence is the number of the claim. It only grows, and it stands in the WHERE of every write that a claim
 *   permits: a worker whose lease was taken over changes nothing and is told so (`lost`).
 * - A notification may come late or not at all; polling `claimableInMs` is the safety net.
 */

import type { RunStore } from "./contract/run-store.ts";
import type { TaskStore } from "./contract/task-store.ts";
import type { Instant } from "./contract/value.ts";

export type * from "./contract/run-store.ts";
export type * from "./contract/task.ts";
export type * from "./contract/task-store.ts";
export type * from "./contract/value.ts";

/** What must survive a crash: tasks with their leases, runs with their history, quarantined items. */
export interface Store extends TaskStore, RunStore, AsyncDisposable {
  /** Where it is, for people; without secrets. */
  readonly location: string;
  /** Opens it from another thread or process of this program. May hold a secret: never shown, never stored. */
  readonly address: string;
  /** Whether it works beside this thread: then it is worth while to ask for the next before the last is dealt with. */
  readonly concurrent: boolean;
  /** The store's clock. */
  now(): Promise<Instant>;
  close(): Promise<void>;
}
