import type {
  AttemptRecord,
  BucketRate,
  ChildRecord,
  Claim,
  ClaimRequest,
  GroupRecord,
  Lease,
  NewGroup,
  NewTask,
  ProgressReport,
  Settlement,
  TaskRecord,
  TaskState,
} from "./task.ts";
import type { Instant, Json } from "./value.ts";

/** Which tasks are meant: all given conditions must hold. At least one is required. */
export interface TaskSelector {
  readonly ids?: readonly string[];
  readonly flow?: string;
  readonly queue?: string;
  readonly states?: readonly TaskState[];
  readonly name?: string;
  /** Enqueued at least, or at most, so many milliseconds ago. */
  readonly olderMs?: number;
  readonly youngerMs?: number;
  /** Text in the payload as JSON, whatever its case. */
  readonly text?: string;
  /** The task that holds this unique key now: it is waiting or leased. */
  readonly unique?: string;
}

/** In order of enqueueing, or newest first. */
export interface Page {
  readonly limit?: number;
  readonly newestFirst?: boolean;
  /** The id of the last task of the page before. */
  readonly after?: string;
}

/** A queue as the store sees it. */
export interface QueueRecord {
  readonly name: string;
  readonly paused: boolean;
  /** Tasks in each state, as counted while they change; settled ones since the queue exists, cleaned up or not. */
  readonly counts: Readonly<Record<TaskState, number>>;
  /** Since when the first that waits could have been claimed; null when none could. */
  readonly oldestDue: Instant | null;
}

/** What a worker says of itself from time to time. */
export interface Heartbeat {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly queues: readonly string[];
  readonly slots: number;
  /** Bytes. */
  readonly memory: number;
  /** Ids of running tasks. */
  readonly running: readonly string[];
  /** Tasks ended in the last minute, by queue. */
  readonly rates: Readonly<Record<string, number>>;
  readonly state: "running" | "draining";
}

/** A worker's latest heartbeat, and when it came. */
export interface WorkerRecord extends Heartbeat {
  readonly startedAt: Instant;
  readonly seenAt: Instant;
}

/** Tasks that are enqueued again and again. `spec` and `task` are for the layer above. */
export interface ScheduleRecord {
  readonly id: string;
  readonly spec: Json;
  readonly task: Json;
  readonly paused: boolean;
  /** When it fires next; null never. */
  readonly next: Instant | null;
  readonly lastFired: Instant | null;
  /** Grows with each change, so that a tick of an edited schedule is refused. */
  readonly version: number;
}

/** A task came to a state. */
export interface ChangeRecord {
  readonly number: number;
  readonly at: Instant;
  readonly task: string;
  readonly name: string;
  readonly queue: string;
  readonly flow: string | null;
  readonly state: TaskState;
  readonly fence: number;
}

/** Children of a group, by index. */
export interface ChildPage {
  readonly afterIndex?: number;
  readonly limit: number;
  readonly states?: readonly TaskState[];
  /** With what the layer above keeps with each. */
  readonly withMeta?: boolean;
}

/** What is enqueued together with tasks, and how. */
export interface StoreEnqueueOptions {
  readonly groups?: readonly NewGroup[];
  /**
   * Makes it part of a transaction of the caller, where the driver can: then nothing is claimable before that commits.
   */
  readonly tx?: unknown;
  /**
   * Called, where the driver can tell, when the tasks have their position in the order of enqueueing, which is before they
   * are durable: what is enqueued from then on comes after them, and need not wait. Perhaps more than once.
   */
  readonly onOrdered?: () => void;
}

/** The part of a store that keeps tasks: enqueued, claimed under leases, settled. */
export interface TaskStore {
  /**
   * Stores tasks and groups; ids that exist already are left as they are, and a task whose `unique` key or position in its
   * group is taken is not stored. A child of an unknown group, and a group whose callback is not in the store, are errors.
   * Returns the ids that are new.
   */
  enqueue(tasks: readonly NewTask[], options?: StoreEnqueueOptions): Promise<string[]>;
  /** Says how many children a group has, once they are all enqueued; it may release or fail at once. */
  closeGroup(id: string, children: number): Promise<void>;
  group(id: string): Promise<GroupRecord | undefined>;
  /** Children in order of their index; of one that was passed on, the last successor. */
  children(group: string, page: ChildPage): Promise<ChildRecord[]>;
  /** Leases up to `n` waiting tasks that are due: by priority, then by due time, then in order of enqueueing. */
  claim(request: ClaimRequest): Promise<Claim[]>;
  /** Extends leases; `lost` names those that are no longer held, `cancelRequested` those asked to stop. */
  renew(leases: readonly Lease[], leaseMs: number): Promise<{ lost: string[]; cancelRequested: string[] }>;
  /** Ends claims; durable before it resolves. Claims that are no longer held change nothing and are `lost`. */
  settle(settlements: readonly Settlement[]): Promise<{ lost: string[] }>;
  /** Stores the latest progress of claims and forgives their earlier crashes. */
  progress(reports: readonly ProgressReport[]): Promise<{ lost: string[] }>;
  /** Cancels waiting tasks at once; asks the holders of leased ones to stop. Returns how many were reached. */
  requestCancel(selector: TaskSelector): Promise<number>;
  /**
   * Makes tasks claimable now: held, delayed, dead and cancelled ones (a leased or succeeded task is left alone).
   * Failures, crashes and cancel requests are forgotten; progress and fence stay. A child that had failed is open
   * again, and so is its failed group as soon as `need` can be met again, with its callback held as before. The callback of a
   * group that is open or has failed is left to its group, whose turn it is to be open again if it can. One whose unique
   * key was taken meanwhile is left alone, and an expiry that is over is forgotten. Returns how many.
   */
  makeClaimable(selector: TaskSelector): Promise<number>;
  /**
   * Takes back leases that have run out, and those of `deadWorkers` at once. Each counts as a crash; a task with
   * `poisonAfter` crashes since its last progress becomes dead, with an error that says so. Cancels as well what was
   * not begun before it expired, with the error `expired`: that does not count as a crash and is not part of what is returned. Of very
   * many that have expired it may leave some to the next sweep; `claim` gives out none of them.
   */
  sweep(options: {
    readonly deadWorkers?: readonly string[];
    readonly poisonAfter: number;
  }): Promise<{ expired: string[]; poisoned: string[] }>;
  /**
   * Milliseconds until something in these queues can be claimed (at the rates of the buckets, and not in a paused queue)
   * or a lease there runs out; 0 now, null never.
   */
  claimableInMs(queues: readonly string[], buckets?: readonly BucketRate[]): Promise<number | null>;
  query(selector: TaskSelector, page?: Page): Promise<TaskRecord[]>;
  /** The attempts that are over, first to last; at most the latest hundred are kept. */
  attempts(id: string): Promise<AttemptRecord[]>;
  /** Every queue that ever had a task or was paused. */
  queues(): Promise<QueueRecord[]>;
  /** Nothing is claimed from a paused queue; what runs continues. */
  pauseQueue(queue: string, paused: boolean): Promise<void>;
  /** Removes settled tasks whose retention is over, at most `limit` of them, and never a child of a group whose callback has not been settled, nor the callback while a child has not. Returns how many. */
  prune(limit: number): Promise<number>;
  heartbeat(worker: Heartbeat): Promise<void>;
  /** Forgets a worker that has ended. */
  removeWorker(worker: string): Promise<void>;
  /** Those that were heard of in the last `withinMs`. */
  workers(withinMs: number): Promise<WorkerRecord[]>;
  /** Stores or replaces a schedule. An unchanged `spec` keeps the time at which it fires next. */
  putSchedule(schedule: {
    readonly id: string;
    readonly spec: Json;
    readonly task: Json;
    readonly next: Instant | null;
  }): Promise<ScheduleRecord>;
  /** Pauses or resumes; `next` is when it fires, after a resume. False when there is none. */
  pauseSchedule(id: string, paused: boolean, next?: Instant | null): Promise<boolean>;
  removeSchedule(id: string): Promise<boolean>;
  schedules(): Promise<ScheduleRecord[]>;
  /**
   * Fires a schedule: sets when it fires next and enqueues the tasks, in one step, if it still has this version and is
   * due. False when another worker was quicker, or it was edited, paused or removed.
   */
  fireSchedule(
    id: string,
    version: number,
    next: Instant | null,
    tasks: readonly NewTask[],
  ): Promise<boolean>;
  /** For the next `forMs`, changes of tasks are kept, to be read with `changes`. Costs a write a change: renew it while a subscriber reads. */
  recordChanges(forMs: number): Promise<void>;
  /** Changes that were recorded after `after` (null: from now on), oldest first, and the number to continue from. */
  changes(after: number | null, limit: number): Promise<{ changes: ChangeRecord[]; last: number }>;
  /** Calls back soon after any process may have made a task claimable. Returns the way to stop. */
  onClaimable(listener: () => void): () => void;
  /**
   * Calls back soon after any process may have settled tasks or stored their progress. A hint: it may come late, many
   * may be one, and settling does not wait for it. Returns the way to stop.
   */
  onSettled(listener: () => void): () => void;
}
