import type { JsonText } from "../json-text.ts";
import type { Instant, Json } from "./value.ts";

/**
 * - `waiting`: may be claimed once `due` has come; a `held` task waits until `makeClaimable`, or until its group releases it
 * - `leased`: a worker holds it
 * - `succeeded`, `dead` (dead letter), `cancelled`: settled for good, unless `makeClaimable` makes it wait again
 */
export type TaskState = "waiting" | "leased" | "succeeded" | "dead" | "cancelled";

/** A task to enqueue. Ids, names and keys hold at most 1,000 bytes of UTF-8, and no NUL. */
export interface NewTask {
  /** Chosen by the caller: enqueueing the same id again changes nothing, so that an enqueue can be repeated safely. */
  readonly id: string;
  /** The queue from which it is claimed. */
  readonly queue: string;
  /** Which function it calls. */
  readonly name: string;
  /**
   * Tasks that belong together, such as the shards of a run or the links of a chain, have one flow.
   * @default none
   */
  readonly flow?: string;
  /** What the function is called with. */
  readonly payload: Json | JsonText;
  /**
   * Higher first; a whole number of 32 bits.
   * @default 0
   */
  readonly priority?: number;
  /**
   * Not claimed before so many milliseconds from now.
   * @default 0
   */
  readonly delayMs?: number;
  /**
   * Waits until `makeClaimable`, or until its group releases it, whatever the time.
   * @default false
   */
  readonly held?: boolean;
  /**
   * While a task with this key is waiting or leased, another one is not stored.
   * @default none
   */
  readonly unique?: string;
  /**
   * A task that was never claimed is cancelled after so many milliseconds, with the error `expired`.
   * @default never
   */
  readonly expiresMs?: number;
  /**
   * Claimed only by requests that name this bucket, at a rate of its own: one for all queues and workers together.
   * @default none
   */
  readonly bucket?: string;
  /**
   * How long it is kept once it is settled, in milliseconds.
   * @default for ever
   */
  readonly retentionMs?: number;
  /**
   * The group it is a child of, and its position there.
   * @default none
   */
  readonly childOf?: GroupPosition;
  /**
   * What the caller keeps with the task, such as how it is tried again and what follows it.
   * @default null
   */
  readonly meta?: Json | JsonText;
}

/** Where a child stands in its group. */
export interface GroupPosition {
  /** The id of the group. */
  readonly group: string;
  /** Its index among the children, from 0. Two children cannot have one index. */
  readonly index: number;
}

/**
 * A group waits for its children and then releases its callback.
 *
 * Every child counts once: as succeeded, or as failed when it is dead or cancelled. Once all have ended, the callback is released. Once
 * so many have failed that `need` cannot be met, the group fails: its open children are cancelled, and its callback is
 * dead with an error that names the first child that failed. A callback may itself be a child of another group. A callback that ends before
 * it was released, because it was cancelled or expired, makes its group fail. A child that is enqueued when its group has
 * failed is stored as cancelled. A child that was not stored, because its id, its unique key or its position is taken, does
 * not count.
 */
export interface NewGroup {
  /** Chosen by the caller: enqueueing the same id again changes nothing. */
  readonly id: string;
  /** How many children there will be; null until `closeGroup` says it. */
  readonly children: number | null;
  /** How many children must succeed; `all` of them, or a number. */
  readonly need: "all" | number;
  /** The id of the task that is released. It is enqueued as `held`, in the same call or before. */
  readonly callback: string;
}

/** `open` while children are awaited, `released` once the callback may run, `failed` when `need` cannot be met any more. */
export type GroupState = "open" | "released" | "failed";

/** A group as the store holds it. */
export interface GroupRecord extends NewGroup {
  /** The state of the group. */
  readonly state: GroupState;
  /** How many of its children have succeeded. */
  readonly succeeded: number;
  /** How many of its children are dead or cancelled. */
  readonly failed: number;
}

/** A child of a group. */
export interface ChildRecord {
  /** Its index in the group. */
  readonly index: number;
  /** The id of the task. */
  readonly task: string;
  /** The state of the task. */
  readonly state: TaskState;
  /** What it succeeded with; null before, and where there was no value. */
  readonly result: Json;
  /** The latest error; null when there was none. */
  readonly error: string | null;
  /** What the caller keeps with the task; only where the page asked for it. */
  readonly meta?: Json;
}

/** A task as the store holds it. */
export interface TaskRecord {
  /** The id it was enqueued with. */
  readonly id: string;
  /** The queue from which it is claimed. */
  readonly queue: string;
  /** Which function it calls. */
  readonly name: string;
  /** The flow it belongs to. */
  readonly flow: string | null;
  /** What the function is called with. */
  readonly payload: Json;
  /** Higher first. */
  readonly priority: number;
  /** The state of the task. */
  readonly state: TaskState;
  /**
   * A sentence that names the columns whose JSON is damaged, which only another program that writes to the store can do.
   * What cannot be read is null. Left out where nothing is damaged.
   */
  readonly damaged?: string;
  /** When a waiting task may be claimed; null while it is held, and in other states. */
  readonly due: Instant | null;
  /** How many times it was claimed; the fence of the latest claim. */
  readonly fence: number;
  /** The worker of the latest claim; null before the first. */
  readonly worker: string | null;
  /** Failures since it was enqueued, or since `makeClaimable`. */
  readonly failures: number;
  /** Leases that ran out, and claims whose worker died, since the last progress. */
  readonly crashes: number;
  /** Whether `requestCancel` asked its worker to stop. */
  readonly cancelRequested: boolean;
  /** The last value that was reported with `progress`; null before. */
  readonly progress: Json;
  /** What it succeeded with; null before, and where there was no value. */
  readonly result: Json;
  /** The latest error; null when there was none, and after a success. */
  readonly error: string | null;
  /** When it was enqueued. */
  readonly createdAt: Instant;
  /** When it was last claimed; null before. */
  readonly startedAt: Instant | null;
  /** When it was settled; null while it is open. */
  readonly settledAt: Instant | null;
  /** When it is cancelled unless it was claimed before; null never. */
  readonly expiresAt: Instant | null;
  /** Its unique key. */
  readonly unique: string | null;
  /** Its bucket. */
  readonly bucket: string | null;
  /** The group it is a child of. */
  readonly childOf: GroupPosition | null;
  /** What the caller keeps with the task. */
  readonly meta: Json;
}

/** An attempt that is over. */
export interface AttemptRecord {
  /** The fence of its claim: 1 for the first attempt. */
  readonly fence: number;
  /** The worker that made it. */
  readonly worker: string;
  /** When it was claimed. */
  readonly startedAt: Instant;
  /** When it was settled or taken back. */
  readonly endedAt: Instant;
  /** How it ended; `crashed` where its lease ran out or its worker died. */
  readonly result: TaskResult["state"];
  /** The error it ended with; null when there was none. */
  readonly error: string | null;
  /** What it wrote, for people; null when it wrote nothing. */
  readonly log: string | null;
}

/** One claim: the right to work on a task until the lease ends. */
export interface Lease {
  /** The id of the task. */
  readonly id: string;
  /** The number of the claim. Writes with the number of an older claim change nothing. */
  readonly fence: number;
}

/** A leased task. */
export interface Claim extends Lease {
  /** The task as it was claimed. */
  readonly task: TaskRecord;
}

/** What a worker asks for when it claims. */
export interface ClaimRequest {
  /** The queues to claim from. */
  readonly queues: readonly string[];
  /** At most so many tasks. */
  readonly n: number;
  /** How long the lease lasts, in milliseconds, unless it is renewed. */
  readonly leaseMs: number;
  /** The id of the worker: unique to one start of a process, so that a dead worker is never mistaken for a living one. */
  readonly worker: string;
  /**
   * Buckets that may be claimed from as well, each at its rate over all workers together.
   * @default none
   */
  readonly buckets?: readonly BucketRate[];
}

/**
 * How often tasks of a bucket may be claimed: over any time `t`, at most `burst + t / intervalMs`. The rate in the latest request holds
 * for all workers.
 */
export interface BucketRate {
  /** The name of the bucket. */
  readonly bucket: string;
  /** Milliseconds from one task to the next; may have a fraction, which counts. More than 0. */
  readonly intervalMs: number;
  /** How many may be claimed at once after a rest; at least 1. */
  readonly burst: number;
}

/** What became of a claimed task. */
export type TaskResult =
  /**
   * `value` is its result. `next` and its `groups` are enqueued in the same transaction. With a `next`, a task that was asked to stop is cancelled
   * instead, and nothing is enqueued: what follows a task is cancelled with it.
   */
  | {
      readonly state: "succeeded";
      readonly value?: Json | JsonText;
      /** Replaces what the caller keeps with the task. */
      readonly meta?: Json | JsonText;
      readonly next?: readonly NewTask[];
      readonly groups?: readonly NewGroup[];
      /** The id of the task in `next` that takes the position in the group; null when the group counts this one. */
      readonly successor?: string | null;
    }
  /** Counted as a failure; may be claimed again after `delayMs`. */
  | { readonly state: "retry"; readonly delayMs: number; readonly error: string }
  /** Counted as a failure, and not tried again. */
  | { readonly state: "dead"; readonly error: string }
  /** Stopped, because that was asked for. */
  | { readonly state: "cancelled" }
  /**
   * The thread or process in which the worker ran it has died. Counted as a crash, as `sweep` does: dead at `poisonAfter` crashes, cancelled if
   * that was asked for, otherwise claimable again after `delayMs`. `error` is kept with the attempt.
   */
  | {
      readonly state: "crashed";
      readonly delayMs: number;
      readonly error: string;
      readonly poisonAfter: number;
    }
  /** Handed back, and not counted as a failure; `delayMs: null` holds it until `makeClaimable`. */
  | { readonly state: "snoozed"; readonly delayMs: number | null };

/** What became of a claimed task, under the lease that permits to say so. */
export type Settlement = Lease & {
  /** What became of it. */
  readonly result: TaskResult;
  /**
   * What the attempt wrote, for people; kept with the attempt.
   * @default none
   */
  readonly log?: string;
};

/** How far a claimed task is, under the lease that permits to say so. `value` is anything for people or programs to read. */
export type ProgressReport = Lease & { readonly value: Json | JsonText };
