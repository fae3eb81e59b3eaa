import type { JsonText } from "../json-text.ts";
import type { Instant, Json } from "./value.ts";

/**
 * - `waiting`: may be claimed once `due` has come (a `held` task waits until `makeClaimable`, or until its group releases it)
 * - `leased`: a worker holds it
 * - `succeeded`, `dead` (dead letter), `cancelled`: settled for good, unless released again
 */
export type TaskState = "waiting" | "leased" | "succeeded" | "dead" | "cancelled";

/** A task to enqueue. */
export interface NewTask {
  /** Chosen by the caller: enqueueing the same id again changes nothing, so a retried enqueue is safe. */
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  /** Tasks that belong together, such as the shards of a run or the parts of a chain. */
  readonly flow?: string;
  readonly payload: Json | JsonText;
  /** Higher first; default 0. */
  readonly priority?: number;
  /** Not before this many milliseconds from now; default 0. */
  readonly delayMs?: number;
  /** Waits until it is released, whatever the time. */
  readonly held?: boolean;
  /** While a task with this key is waiting or leased, another one is not stored. */
  readonly unique?: string;
  /** Still waiting after so many milliseconds, and not because it failed, it is cancelled with the error `expired`. */
  readonly expiresMs?: number;
  /**
   * Claimed only by requests that name the bucket, at a rate of its own: one for all queues and workers together.
   */
  readonly bucket?: string;
  /** How long it is kept once it is settled, in milliseconds; default for ever. */
  readonly retentionMs?: number;
  /** The group it is a child of, and its position there. */
  readonly childOf?: GroupPosition;
  /** What the layer above keeps with the task, such as how it is tried again and what follows it. */
  readonly meta?: Json | JsonText;
}

/** Where a child stands in its group, from 0. */
export interface GroupPosition {
  readonly group: string;
  readonly index: number;
}

/**
 * Waits for children and then releases its callback. Every child counts once: as succeeded, or as failed when it is dead
 * or cancelled. Once so many have failed that `need` cannot be met, the group fails: what is open of its children is
 * cancelled, and its callback is dead with an error that names the first child that failed. Once all have ended, the
 * callback is released. A callback may itself be a child of another group. A callback that ends before it was released (cancelled,
 * expired) takes its group along: the group fails, and what is open of its children is cancelled. A child that comes
 * when its group has failed is stored as cancelled; one that was not stored, because its id, its unique key or its position
 * is taken, does not count.
 */
export interface NewGroup {
  readonly id: string;
  /** Children there will be; null until `closeGroup` says it. */
  readonly children: number | null;
  /** Children that must succeed; `all` of them, or a number. */
  readonly need: "all" | number;
  /** The task that is released, stored as held in the same step or before. */
  readonly callback: string;
}

/**
 * `open` while children are awaited, `released` once the callback may run, `failed` when `need` cannot be met
 * any more.
 */
export type GroupState = "open" | "released" | "failed";

/** A group as the store holds it, with how many of its children have ended. */
export interface GroupRecord extends NewGroup {
  readonly state: GroupState;
  readonly succeeded: number;
  readonly failed: number;
}

/** What became of a child. */
export interface ChildRecord {
  readonly index: number;
  readonly task: string;
  readonly state: TaskState;
  readonly result: Json;
  readonly error: string | null;
  /** What the layer above keeps with the task, where that was asked for. */
  readonly meta?: Json;
}

/** A task as the store holds it. */
export interface TaskRecord {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly flow: string | null;
  readonly payload: Json;
  readonly priority: number;
  readonly state: TaskState;
  /**
   * What is wrong where its JSON is damaged, which only another program that writes to the store can do: a sentence. What cannot be
   * read is null.
   */
  readonly damaged?: string;
  /** When a waiting task may be claimed; null while it is held. */
  readonly due: Instant | null;
  /** How many times it was claimed; the fence of the latest claim. */
  readonly fence: number;
  /** The worker of the latest claim. */
  readonly worker: string | null;
  /** Failures since it was enqueued or released. */
  readonly failures: number;
  /** Leases that ran out or whose worker died, since the last progress. */
  readonly crashes: number;
  readonly cancelRequested: boolean;
  /** The last value reported with `progress`. */
  readonly progress: Json;
  readonly result: Json;
  readonly error: string | null;
  readonly createdAt: Instant;
  /** When it was last claimed. */
  readonly startedAt: Instant | null;
  readonly settledAt: Instant | null;
  /** When it is cancelled unless it was begun. */
  readonly expiresAt: Instant | null;
  readonly unique: string | null;
  readonly bucket: string | null;
  readonly childOf: GroupPosition | null;
  readonly meta: Json;
}

/** An attempt that is over. */
export interface AttemptRecord {
  readonly fence: number;
  readonly worker: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  /** How it ended; `crashed` where a lease ran out or the worker died. */
  readonly result: TaskResult["state"];
  readonly error: string | null;
  readonly log: string | null;
}

/** One claim: the right to work on a task until the lease ends. */
export interface Lease {
  readonly id: string;
  readonly fence: number;
}

/** A leased task. */
export interface Claim extends Lease {
  readonly task: TaskRecord;
}

/** What a worker asks for when it claims. */
export interface ClaimRequest {
  readonly queues: readonly string[];
  /** At most this many. */
  readonly n: number;
  readonly leaseMs: number;
  /** Who claims: unique to one process start, so that a dead worker is never mistaken for a living one. */
  readonly worker: string;
  /** Buckets that may be claimed from as well, each at its rate over all workers together. */
  readonly buckets?: readonly BucketRate[];
}

/**
 * How often tasks of a bucket may be claimed: one in `intervalMs`, and up to `burst` at once after a rest. Over any
 * time `t` these are at most `burst + t / intervalMs`. The latest claim's word holds for all. `intervalMs` may have a
 * fraction, which counts.
 */
export interface BucketRate {
  readonly bucket: string;
  readonly intervalMs: number;
  readonly burst: number;
}

/** What became of a claimed task: from its handler to its store. */
export type TaskResult =
  /**
   * `next` and its `groups` are enqueued in the same step. A child of a group that has a successor passes its membership
   * on to it. With a `next`, a task that was asked to cancel is cancelled instead, and nothing is enqueued: what follows
   * a task is cancelled with it.
   */
  | {
      readonly state: "succeeded";
      readonly value?: Json | JsonText;
      /** Replaces what the layer above keeps with the task. */
      readonly meta?: Json | JsonText;
      readonly next?: readonly NewTask[];
      readonly groups?: readonly NewGroup[];
      /** Which of `next` takes the position in the group; null when the group counts this one. */
      readonly successor?: string | null;
    }
  /** Counted as a failure; may be claimed again after `delayMs`. */
  | { readonly state: "retry"; readonly delayMs: number; readonly error: string }
  | { readonly state: "dead"; readonly error: string }
  | { readonly state: "cancelled" }
  /**
   * What the worker ran it in has died of it. Counted as a crash, as `sweep` does: dead with the same error at
   * `poisonAfter` crashes, cancelled if that was asked for, otherwise claimable again after `delayMs`. `error` is kept
   * with the attempt.
   */
  | {
      readonly state: "crashed";
      readonly delayMs: number;
      readonly error: string;
      readonly poisonAfter: number;
    }
  /** Handed back without blame; `delayMs: null` holds it until it is released. */
  | { readonly state: "snoozed"; readonly delayMs: number | null };

/** What became of a claimed task, under the lease that permits to say so. */
export type Settlement = Lease & {
  readonly result: TaskResult;
  /** What the attempt wrote, for people; kept with the attempt. */
  readonly log?: string;
};

/** How far a claimed task is, under the lease that permits to say so. */
export type ProgressReport = Lease & { readonly value: Json | JsonText };
