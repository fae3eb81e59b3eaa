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

/** Selects tasks: all given conditions must hold, and at least one must be given. */
export interface TaskSelector {
  /** One of these ids. */
  readonly ids?: readonly string[];
  /** Of this flow. */
  readonly flow?: string;
  /** In this queue. */
  readonly queue?: string;
  /** In one of these states. */
  readonly states?: readonly TaskState[];
  /** Of this name. */
  readonly name?: string;
  /** Enqueued at least so many milliseconds ago. */
  readonly olderMs?: number;
  /** Enqueued at most so many milliseconds ago. */
  readonly youngerMs?: number;
  /** With this text in the payload as JSON, in upper or lower case. */
  readonly text?: string;
  /** The task that holds this unique key now: it is waiting or leased. */
  readonly unique?: string;
}

/** A page of tasks. */
export interface Page {
  /**
   * At most so many.
   * @default all
   */
  readonly limit?: number;
  /**
   * The task that was enqueued last comes first.
   * @default false
   */
  readonly newestFirst?: boolean;
  /**
   * The id of the last task of the page before.
   * @default none: the first page
   */
  readonly after?: string;
}

/** A queue as the store holds it. */
export interface QueueRecord {
  /** The name of the queue. */
  readonly name: string;
  /** Whether nothing is claimed from it. */
  readonly paused: boolean;
  /** How many tasks are in each state. Settled ones are counted since the queue exists, also those that were removed since. */
  readonly counts: Readonly<Record<TaskState, number>>;
  /** Since when the first waiting task could have been claimed; null when none could. */
  readonly oldestDue: Instant | null;
}

/** What a worker reports from time to time. */
export interface Heartbeat {
  /** The id of the worker. */
  readonly id: string;
  /** The name of its machine. */
  readonly host: string;
  /** The id of its process. */
  readonly pid: number;
  /** The queues it claims from. */
  readonly queues: readonly string[];
  /** How many tasks it runs at once. */
  readonly slots: number;
  /** The memory of its process, in bytes. */
  readonly memory: number;
  /** Ids of the tasks that run. */
  readonly running: readonly string[];
  /** How many tasks ended in the last minute, by queue. */
  readonly rates: Readonly<Record<string, number>>;
  /** `draining` once it claims no more tasks and waits for those that run. */
  readonly state: "running" | "draining";
}

/** A worker's latest heartbeat. */
export interface WorkerRecord extends Heartbeat {
  /** When its first heartbeat came. */
  readonly startedAt: Instant;
  /** When its latest heartbeat came. */
  readonly seenAt: Instant;
}

/** A schedule: tasks that are enqueued again and again. */
export interface ScheduleRecord {
  /** Chosen by the caller. */
  readonly id: string;
  /** When it fires, in the caller's words. */
  readonly spec: Json;
  /** What it enqueues, in the caller's words. */
  readonly task: Json;
  /** Whether it does not fire. */
  readonly paused: boolean;
  /** When it fires next; null never. */
  readonly next: Instant | null;
  /** When it fired last; null before the first time. */
  readonly lastFired: Instant | null;
  /** Changes with each edit and each firing, so that `fireSchedule` refuses a schedule that was edited since it was read. */
  readonly version: number;
}

/** A task came to another state. */
export interface ChangeRecord {
  /** The number of the change; grows. */
  readonly number: number;
  /** When it happened. */
  readonly at: Instant;
  /** The id of the task. */
  readonly task: string;
  /** The name of the task. */
  readonly name: string;
  /** The queue of the task. */
  readonly queue: string;
  /** The flow of the task. */
  readonly flow: string | null;
  /** The state to which the task came. */
  readonly state: TaskState;
  /** How many times the task had been claimed by then. */
  readonly fence: number;
}

/** A page of the children of a group, by index. */
export interface ChildPage {
  /**
   * The index of the last child of the page before.
   * @default none: the first page
   */
  readonly afterIndex?: number;
  /** At most so many. */
  readonly limit: number;
  /**
   * Only children in one of these states.
   * @default all
   */
  readonly states?: readonly TaskState[];
  /**
   * Whether to read what the caller keeps with each child, too.
   * @default false
   */
  readonly withMeta?: boolean;
}

/** What is enqueued together with tasks, and how. */
export interface StoreEnqueueOptions {
  /**
   * Groups to store with the tasks.
   * @default none
   */
  readonly groups?: readonly NewGroup[];
  /**
   * A client of `pg` on which the caller has begun a transaction, in the database of the store: the tasks are part of that transaction, and
   * nothing is claimable before it commits. Only a store in PostgreSQL can do this.
   * @default a transaction of the store's own
   */
  readonly tx?: unknown;
  /**
   * Called once the tasks have their position in the order of enqueueing, which is before they are durable: what is enqueued from then on comes
   * after them and need not wait for the promise. May be called more than once; a store in a file never calls it.
   * @default none
   */
  readonly onOrdered?: () => void;
}

/** The part of a store that keeps tasks: they are enqueued, claimed under leases, and settled. */
export interface TaskStore {
  /**
   * Stores tasks and groups, and returns the ids of the tasks that are new. A task is not stored where a task with its id
   * exists already, an open task has its `unique` key, or another child has its position in the group.
   *
   * @throws {PawlError} `store.unstorable` for what no store can keep, `store.no-such-group` for a child of an unknown group,
   *   `store.no-callback` for a group whose callback is not in the store, `store.no-transactions` for a `tx` in a store that is a file
   */
  enqueue(tasks: readonly NewTask[], options?: StoreEnqueueOptions): Promise<string[]>;
  /**
   * Sets how many children a group has, once all of them are enqueued; the group may release its callback or fail at once.
   *
   * @throws {PawlError} `store.no-such-group`, or `store.group-closed` where the group has another number of children
   */
  closeGroup(id: string, children: number): Promise<void>;
  /** The group with this id; undefined when there is none. */
  group(id: string): Promise<GroupRecord | undefined>;
  /** The children of a group in order of their index; where a child passed its position on, its last successor. */
  children(group: string, page: ChildPage): Promise<ChildRecord[]>;
  /**
   * Leases up to `n` waiting tasks that are due: by priority, then by due time, then in order of enqueueing.
   *
   * @throws {RangeError} for a rate whose interval is not more than 0 or whose burst is less than 1
   */
  claim(request: ClaimRequest): Promise<Claim[]>;
  /**
   * Extends leases to `leaseMs` from now. `lost` has the ids of tasks whose claims are no longer held, `cancelRequested` of those
   * that were asked to stop.
   */
  renew(leases: readonly Lease[], leaseMs: number): Promise<{ lost: string[]; cancelRequested: string[] }>;
  /**
   * Ends claims. Those that are no longer held change nothing; `lost` has the ids of their tasks. Of two settlements of one
   * claim the first one counts.
   *
   * @throws {PawlError} what `enqueue` throws, for what follows a task; nothing is settled then
   */
  settle(settlements: readonly Settlement[]): Promise<{ lost: string[] }>;
  /** Stores the latest progress of claims and forgets their earlier crashes. `lost` as for `settle`. */
  progress(reports: readonly ProgressReport[]): Promise<{ lost: string[] }>;
  /**
   * Cancels waiting tasks at once, and asks the workers of leased ones to stop. Returns how many tasks that were.
   *
   * @throws {TypeError} for a selector without a condition
   */
  requestCancel(selector: TaskSelector): Promise<number>;
  /**
   * Makes tasks claimable now, and returns how many: held, delayed, dead and cancelled ones. A leased or succeeded task is left as it is, and so is
   * one whose unique key another task holds by now. Failures, crashes, cancel requests and an expiry that is over are
   * forgotten; progress and fence stay.
   *
   * A child that had failed is open again, and so is its failed group as soon as `need` can be met again; its callback is held then as
   * before. A callback of a group that is open or has failed is not made claimable itself: its group is opened again where it can be.
   *
   * @throws {TypeError} for a selector without a condition
   */
  makeClaimable(selector: TaskSelector): Promise<number>;
  /**
   * Takes back leases that have run out, and those of `deadWorkers` at once. Each counts as a crash; a task with
   * `poisonAfter` crashes since its last progress becomes dead, with an error that says so. `expired` has the ids of the tasks whose leases
   * were taken back, `poisoned` of those among them that are dead.
   *
   * It also cancels tasks that were not claimed before they expired, with the error `expired`; they are not part of what is
   * returned. Of very many it may leave some to the next sweep; `claim` gives out none of them.
   */
  sweep(options: {
    readonly deadWorkers?: readonly string[];
    readonly poisonAfter: number;
  }): Promise<{ expired: string[]; poisoned: string[] }>;
  /**
   * Milliseconds until something in these queues can be claimed (at the rates of the buckets, and not in a paused queue)
   * or a lease there runs out; 0 now, null never.
   *
   * @throws {RangeError} for a rate whose interval is not more than 0 or whose burst is less than 1
   */
  claimableInMs(queues: readonly string[], buckets?: readonly BucketRate[]): Promise<number | null>;
  /**
   * A page of the selected tasks, in order of enqueueing.
   *
   * @throws {TypeError} for a selector without a condition
   * @throws {PawlError} `store.no-such-task` where the task that the page continues after was removed
   */
  query(selector: TaskSelector, page?: Page): Promise<TaskRecord[]>;
  /** The attempts of a task that are over, first to last; at most the latest hundred are kept. */
  attempts(id: string): Promise<AttemptRecord[]>;
  /** Every queue that ever had a task or was paused, by name. */
  queues(): Promise<QueueRecord[]>;
  /**
   * Pauses a queue, from which nothing is claimed then, or resumes it. What runs continues.
   *
   * @throws {PawlError} `store.unstorable` for a name that no store can keep
   */
  pauseQueue(queue: string, paused: boolean): Promise<void>;
  /**
   * Removes settled tasks whose retention is over, at most `limit` of them, and returns how many. A child is kept until the callback of its group
   * is settled, and the callback until all children are.
   */
  prune(limit: number): Promise<number>;
  /** Stores what a worker reports, in place of what it reported before. */
  heartbeat(worker: Heartbeat): Promise<void>;
  /** Removes a worker that has ended from `workers`. Its leases stay until `sweep` takes them back. */
  removeWorker(worker: string): Promise<void>;
  /** The workers whose latest heartbeat is at most `withinMs` old, by id. */
  workers(withinMs: number): Promise<WorkerRecord[]>;
  /**
   * Stores a schedule or replaces it. While `spec` stays the same, the time at which it fires next stays as well.
   *
   * @throws {PawlError} `store.unstorable` for what is not JSON
   */
  putSchedule(schedule: {
    readonly id: string;
    readonly spec: Json;
    readonly task: Json;
    readonly next: Instant | null;
  }): Promise<ScheduleRecord>;
  /** Pauses a schedule or resumes it; `next` is when it fires then, and stays as it is when left out. False when there is none. */
  pauseSchedule(id: string, paused: boolean, next?: Instant | null): Promise<boolean>;
  /** Removes a schedule; false when there is none. */
  removeSchedule(id: string): Promise<boolean>;
  /** All schedules, by id. */
  schedules(): Promise<ScheduleRecord[]>;
  /**
   * Fires a schedule: sets when it fires next and enqueues the tasks, in one transaction, if it still has this version and is
   * due. False when another worker was quicker, or it was edited, paused or removed.
   *
   * @throws {PawlError} what `enqueue` throws; the schedule is not fired then
   */
  fireSchedule(
    id: string,
    version: number,
    next: Instant | null,
    tasks: readonly NewTask[],
  ): Promise<boolean>;
  /**
   * Records changes of tasks for the next `forMs` milliseconds, to be read with `changes`; a shorter time does not end a longer one. Costs a write for
   * each change, so a subscriber asks for it again and again while it reads. Changes that are not read are kept for ten minutes.
   */
  recordChanges(forMs: number): Promise<void>;
  /** Changes that were recorded after the number `after` (null: from now on), oldest first, and the number to continue from. */
  changes(after: number | null, limit: number): Promise<{ changes: ChangeRecord[]; last: number }>;
  /**
   * Calls `listener` soon after any process may have made a task claimable. A call may come late, stand for several changes, or
   * be lost: poll `claimableInMs` as well. Returns a function that stops it.
   */
  onClaimable(listener: () => void): () => void;
  /**
   * Calls `listener` soon after any process may have settled tasks or stored their progress, with the same reservations. Returns
   * a function that stops it.
   */
  onSettled(listener: () => void): () => void;
}
