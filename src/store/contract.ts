/**
 * What must survive a crash, and nothing else: tasks with their leases, runs with their history, quarantined
 * items. One folder for each driver stands beside this file; every driver passes `test/store/conformance.ts`.
 *
 * Rules that hold for every operation:
 * - An operation takes a batch and is atomic: all of it happens, durably, before the promise resolves, or none.
 * - Time is the store's clock. Callers pass durations in milliseconds, never instants, and read instants that the store wrote.
 * - A fence is the number of the claim. It only grows, and it stands in the WHERE of every write that a claim
 *   permits: a worker whose lease was taken back changes nothing, and the result names its task as `lost`.
 * - A notification may come late or not at all; polling `claimableInMs` is the safety net.
 */

import type { RunStore } from "./contract/run-store.ts";
import type { TaskStore } from "./contract/task-store.ts";
import type { Instant } from "./contract/value.ts";

export type * from "./contract/run-store.ts";
export type * from "./contract/task.ts";
export type * from "./contract/task-store.ts";
export type * from "./contract/value.ts";

/**
 * What must survive a crash: tasks with their leases, runs with their history, quarantined items. `openStore` opens one.
 *
 * Every operation rejects with a `TransientError` where the same call may succeed later (`store.busy`, `store.full`,
 * `store.io`, `postgres.unreachable`), and with a `PawlError` where it cannot: `store.closed` after `close`, `store.gone`
 * where the file or the tables were removed, `store.read-only` where this user may not write, `store.newer` where a newer
 * Pawl changed the tables. What else an operation throws is said with it.
 *
 * @example
 * ```ts
 * await using store = await openStore(".pawl/store.db");
 * await store.enqueue([{ id: "report-7", queue: "reports", name: "render", payload: { account: 7 } }]);
 * const [claim] = await store.claim({ queues: ["reports"], n: 1, leaseMs: 60_000, worker: "worker-1" });
 * if (claim) await store.settle([{ id: claim.id, fence: claim.fence, result: { state: "succeeded" } }]);
 * ```
 */
export interface Store extends TaskStore, RunStore, AsyncDisposable {
  /** Where the store is, for people: an absolute path or a URL without its password. */
  readonly location: string;
  /** Opens the store from another thread or process of this program. May hold a password, so it is never shown or stored. */
  readonly address: string;
  /** Whether operations run outside this thread: then a worker may claim the next tasks while it still settles the last ones. */
  readonly concurrent: boolean;
  /** The time by the store's clock. */
  now(): Promise<Instant>;
  /** Waits for the operations that have begun, then closes the store. Safe to call again. */
  close(): Promise<void>;
}
