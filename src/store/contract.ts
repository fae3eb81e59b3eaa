/**
 * What must survive a crash, and nothing else: tasks with their leases, runs with their history, quarantined
 * items. One folder a driver stands beside this file; every driver passes `test/store/conformance.ts`.
 *
 * Rules that hold for every operation:
 * - An operation takes a batch and is atomic: all of it happens, durably, before the promise resolves, or none.
 * - Time is the store's clock. Callers pass durations, never instants, and read instants the store wrote.
 * - A fence is the number of the claim. It only grows, and it stands in the WHERE of every write that a claim
 *   permits: a worker whose lease was taken over changes nothing and is told so (`lost`).
 * - A wake-up is a hint; polling `due` is the safety net.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Milliseconds since the Unix epoch by the store's clock. */
export type Instant = number;

/**
 * - `waiting`: may be claimed once `due` has come (a `held` task waits until it is released)
 * - `leased`: a worker holds it
 * - `succeeded`, `dead` (dead letter), `cancelled`: settled for good, unless released again
 */
export type TaskState = "waiting" | "leased" | "succeeded" | "dead" | "cancelled";

export interface NewTask {
  /** Chosen by the caller: enqueueing the same id again changes nothing, so a retried enqueue is safe. */
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  /** Tasks that belong together, such as the shards of a run or the parts of a chain. */
  readonly group?: string;
  readonly payload: Json;
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
   * Claimed only by requests that name the lane, at a rate of its own: one for all queues and workers together.
   */
  readonly lane?: string;
  /** How long it is kept once it is settled, in milliseconds; default for ever. */
  readonly retentionMs?: number;
  /** The join it is a member of, and its place there. */
  readonly member?: Membership;
  /** What the layer above keeps with the task, such as how it is tried again and what follows it. */
  readonly meta?: Json;
}

export interface Membership {
  readonly join: string;
  readonly index: number;
}

/**
 * Waits for members and then lets one task go. Every member counts once: as succeeded, or as failed when it is dead
 * or cancelled. Once so many have failed that `need` cannot be met, the join fails: what is open of its members is
 * cancelled, and its body is dead with an error that names the first member that failed. Once all have ended, the
 * body is released. A body may itself be a member of another join. A body that ends before it was let go (cancelled,
 * expired) takes its join along: the join fails, and what is open of its members is cancelled. A member that comes
 * when its join has failed is stored as cancelled; one that was not stored, because its id, its unique key or its place
 * is taken, does not count.
 */
export interface NewJoin {
  readonly id: string;
  /** Members there will be; null until `sealJoin` says it. */
  readonly members: number | null;
  /** Members that must succeed; `all` of them, or a number. */
  readonly need: "all" | number;
  /** The task that is released, stored as held in the same step or before. */
  readonly body: string;
}

export type JoinState = "open" | "released" | "failed";

export interface JoinRecord extends NewJoin {
  readonly state: JoinState;
  readonly succeeded: number;
  readonly failed: number;
}

/** What became of a member. */
export interface MemberRecord {
  readonly index: number;
  readonly task: string;
  readonly state: TaskState;
  readonly result: Json;
  readonly error: string | null;
}

export interface TaskRecord {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly group: string | null;
  readonly payload: Json;
  readonly priority: number;
  readonly state: TaskState;
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
  readonly lane: string | null;
  readonly member: Membership | null;
  readonly meta: Json;
}

/** An attempt that is over. */
export interface AttemptRecord {
  readonly fence: number;
  readonly worker: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  /** How it ended; `crashed` where a lease ran out or the worker died. */
  readonly outcome: Outcome["state"];
  readonly error: string | null;
  readonly log: string | null;
}

/** One claim: the right to work on a task until the lease ends. */
export interface Lease {
  readonly id: string;
  readonly fence: number;
}

export interface Claim extends Lease {
  readonly task: TaskRecord;
}

export interface ClaimRequest {
  readonly queues: readonly string[];
  /** At most this many. */
  readonly n: number;
  readonly leaseMs: number;
  /** Who claims: unique to one process start, so that a dead worker is never mistaken for a living one. */
  readonly worker: string;
  /** Lanes that may be claimed from as well, each at its rate over all workers together. */
  readonly lanes?: readonly LaneRate[];
}

/**
 * How often tasks of a lane may be claimed: one in `intervalMs`, and up to `burst` at once after a rest. Over any
 * time `t` these are at most `burst + t / intervalMs`. The latest claim's word holds for all. `intervalMs` may have a
 * fraction, which counts.
 */
export interface LaneRate {
  readonly lane: string;
  readonly intervalMs: number;
  readonly burst: number;
}

export type Outcome =
  /**
   * `next` and its `joins` are enqueued in the same step. A member of a join that has a successor passes its membership
   * on to it. With a `next`, a task that was asked to cancel is cancelled instead, and nothing is enqueued: what follows
   * a task is cancelled with it.
   */
  | {
      readonly state: "succeeded";
      readonly result?: Json;
      readonly next?: readonly NewTask[];
      readonly joins?: readonly NewJoin[];
      /** Which of `next` takes the place in the join; null when the join counts this one. */
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

export type Settlement = Lease & {
  readonly outcome: Outcome;
  /** What the attempt wrote, for people; kept with the attempt. */
  readonly log?: string;
};

export type ProgressReport = Lease & { readonly value: Json };

/** Which tasks are meant: all given conditions must hold. At least one is required. */
export interface TaskSelector {
  readonly ids?: readonly string[];
  readonly group?: string;
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

export interface QueueRecord {
  readonly name: string;
  readonly paused: boolean;
  /** Tasks in each state, as counted while they change; settled ones since the queue exists, cleaned up or not. */
  readonly counts: Readonly<Record<TaskState, number>>;
  /** Since when the first in line could have been claimed; null when none could. */
  readonly oldestDue: Instant | null;
}

/** What a worker says of itself from time to time. */
export interface WorkerBeat {
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

export interface WorkerRecord extends WorkerBeat {
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
  readonly group: string | null;
  readonly state: TaskState;
  readonly fence: number;
}

export interface EnqueueOptions {
  readonly joins?: readonly NewJoin[];
  /**
   * Makes it part of a transaction of the caller, where the driver can: then nothing is claimable before that commits.
   */
  readonly tx?: unknown;
  /**
   * Called, where the driver can tell, when the tasks have their place in the order of enqueueing, which is before they
   * are durable: what is enqueued from then on comes after them, and need not wait. Perhaps more than once.
   */
  readonly placed?: () => void;
}

export interface TaskStore {
  /**
   * Stores tasks and joins; ids that exist already are left as they are, and a task whose `unique` key or place in its
   * join is taken is not stored. A member of an unknown join, and a join whose body is not in the store, are errors.
   * Returns the ids that are new.
   */
  enqueue(tasks: readonly NewTask[], options?: EnqueueOptions): Promise<string[]>;
  /** Says how many members a join has, once they are all enqueued; it may release or fail at once. */
  sealJoin(id: string, members: number): Promise<void>;
  join(id: string): Promise<JoinRecord | undefined>;
  /** Members in order of their index; of one that was passed on, the last successor. */
  members(
    join: string,
    page: { readonly afterIndex?: number; readonly limit: number; readonly states?: readonly TaskState[] },
  ): Promise<MemberRecord[]>;
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
   * Failures, crashes and cancel requests are forgotten; progress and fence stay. A member that had failed is open
   * again, and so is its failed join as soon as `need` can be met again, with its body held as before. The body of a
   * join that is open or has failed is left to its join, whose turn it is to be open again if it can. One whose unique
   * key was taken meanwhile is left alone, and an expiry that is over is forgotten. Returns how many.
   */
  release(selector: TaskSelector): Promise<number>;
  /**
   * Takes back leases that have run out, and those of `deadWorkers` at once. Each counts as a crash; a task with
   * `poisonAfter` crashes since its last progress becomes dead, with an error that says so. Cancels as well what was
   * not begun before it expired, with the error `expired`: that is no crash and not part of what is returned. Of very
   * many that have expired it may leave some to the next sweep; `claim` gives out none of them.
   */
  sweep(options: {
    readonly deadWorkers?: readonly string[];
    readonly poisonAfter: number;
  }): Promise<{ expired: string[]; poisoned: string[] }>;
  /**
   * Milliseconds until something in these queues can be claimed (at the rates of the lanes, and not in a paused queue)
   * or a lease there runs out; 0 now, null never.
   */
  due(queues: readonly string[], lanes?: readonly LaneRate[]): Promise<number | null>;
  query(selector: TaskSelector, page?: Page): Promise<TaskRecord[]>;
  /** The attempts that are over, first to last; at most the latest hundred are kept. */
  attempts(id: string): Promise<AttemptRecord[]>;
  /** Every queue that ever had a task or was paused. */
  queues(): Promise<QueueRecord[]>;
  /** Nothing is claimed from a paused queue; what runs goes on. */
  pauseQueue(queue: string, paused: boolean): Promise<void>;
  /** Removes settled tasks whose retention is over, at most `limit` of them, and never a member of a join whose body has not been settled, nor the body while a member has not. Returns how many. */
  prune(limit: number): Promise<number>;
  beat(worker: WorkerBeat): Promise<void>;
  /** Forgets a worker that has ended. */
  leave(worker: string): Promise<void>;
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
   * due. False when somebody else was quicker, or it was edited, paused or removed.
   */
  tick(id: string, version: number, next: Instant | null, tasks: readonly NewTask[]): Promise<boolean>;
  /** For the next `forMs`, changes of tasks are kept, to be read with `changes`. Costs a write a change: renew it while somebody reads. */
  record(forMs: number): Promise<void>;
  /** Changes that were recorded after `after` (null: from now on), oldest first, and the number to go on from. */
  changes(after: number | null, limit: number): Promise<{ changes: ChangeRecord[]; last: number }>;
  /** Calls back soon after any process may have made a task claimable. Returns the way to stop. */
  wake(listener: () => void): () => void;
  /**
   * Calls back soon after any process may have settled tasks or stored their progress. A hint: it may come late, many
   * may be one, and settling does not wait for it. Returns the way to stop.
   */
  onSettled(listener: () => void): () => void;
}

export type RunState =
  | "pending"
  | "running"
  | "pausing"
  | "paused"
  | "cancelling"
  | "cancelled"
  | "succeeded"
  | "failed";

/** How a process finds the definition of a run: a module and the parameters for it. Holds no secrets. */
export interface JobReference {
  readonly name: string;
  /** A file URL, or a name the program registered; null when the job exists only in the code that ran it. */
  readonly module: string | null;
  readonly params: Json;
}

export interface NewRun {
  readonly id: string;
  readonly job: JobReference;
  /** Two runs with one key are the same work: only one of them may be unfinished at a time. */
  readonly key: string;
  /** What the source looked like when the run began; a resume on anything else is refused. */
  readonly identity: Json;
  /** The run whose quarantine this one replays. */
  readonly replayOf?: string;
  /** What the layer above keeps with the run; stored in the same step, so that no crash can leave a run without. */
  readonly details?: Json;
}

export interface RunRecord {
  readonly id: string;
  readonly job: JobReference;
  readonly key: string;
  readonly identity: Json;
  readonly replayOf: string | null;
  readonly state: RunState;
  /** Why it is in this state, for people: the error, the throttle's reason, who paused it. */
  readonly note: string | null;
  /** Anything the batch layer wants to keep with the run: plan, options, final summary. */
  readonly details: Json;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly finishedAt: Instant | null;
}

export interface RunPatch {
  readonly state?: RunState;
  readonly note?: string | null;
  readonly details?: Json;
  readonly identity?: Json;
  /** Numbers of quarantined items that this run has mended: marked in the same step. */
  readonly mended?: readonly number[];
}

/** A point of a run's history; `value` holds the counts at that time. */
export interface Sample {
  readonly at: Instant;
  readonly value: Json;
}

/** An item that failed, kept whole. */
export interface QuarantinedItem {
  /** The shard and the item's ordinal in it: the same item has the same place on every attempt. */
  readonly shard: number;
  readonly ordinal: number;
  readonly raw: Uint8Array;
  /** For people: where the item stands in the source, such as `people.csv line 15310`. */
  readonly at: string;
  readonly reason: string;
  readonly code: string | null;
}

export interface QuarantineRecord extends QuarantinedItem {
  /** Grows in the order in which items were quarantined; unique in the store. */
  readonly number: number;
  /** The run that replayed it successfully. */
  readonly replayedBy: string | null;
}

export interface RunStore {
  /** Stores a run as `pending`, unless an unfinished run has the same key: then that one is returned instead. */
  createRun(run: NewRun): Promise<{ run: RunRecord; created: boolean }>;
  run(id: string): Promise<RunRecord | undefined>;
  /** Newest first; `idPrefix` narrows to ids that begin so. */
  runs(filter: {
    readonly idPrefix?: string;
    readonly key?: string;
    readonly limit?: number;
  }): Promise<RunRecord[]>;
  /** Changes a run if its state is one of `from`; false when it was not. A final state stamps `finishedAt`. */
  updateRun(id: string, from: readonly RunState[], patch: RunPatch): Promise<boolean>;
  /** Adds a point to the history; old points are thinned so that a run keeps at most a few hundred. */
  sample(run: string, value: Json): Promise<void>;
  samples(run: string): Promise<Sample[]>;
  /**
   * Replaces what is quarantined of one shard from `fromOrdinal` on: an attempt that is repeated overwrites what
   * the attempt before it left behind. `lease` is the claim under which the shard is worked on: once it is lost, this
   * changes nothing and throws LostError.
   */
  quarantine(
    run: string,
    shard: number,
    fromOrdinal: number,
    items: readonly QuarantinedItem[],
    lease?: Lease,
  ): Promise<void>;
  /** A page in order of shard and ordinal. */
  quarantined(
    run: string,
    page: {
      readonly after?: { readonly shard: number; readonly ordinal: number };
      readonly limit: number;
      /** Leave out what a replay has mended. */
      readonly openOnly?: boolean;
    },
  ): Promise<QuarantineRecord[]>;
  quarantineCount(run: string, options?: { readonly openOnly?: boolean }): Promise<number>;
}

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
