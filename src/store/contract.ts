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
  /** Tasks that belong together, such as the shards of a run. */
  readonly group?: string;
  readonly payload: Json;
  /** Higher first; default 0. */
  readonly priority?: number;
  /** Not before this many milliseconds from now; default 0. */
  readonly delayMs?: number;
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
  readonly settledAt: Instant | null;
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
}

export type Outcome =
  | { readonly state: "succeeded"; readonly result?: Json }
  /** Counted as a failure; may be claimed again after `delayMs`. */
  | { readonly state: "retry"; readonly delayMs: number; readonly error: string }
  | { readonly state: "dead"; readonly error: string }
  | { readonly state: "cancelled" }
  /** Handed back without blame; `delayMs: null` holds it until it is released. */
  | { readonly state: "snoozed"; readonly delayMs: number | null };

export type Settlement = Lease & { readonly outcome: Outcome };

export type ProgressReport = Lease & { readonly value: Json };

/** Which tasks are meant: all given conditions must hold. At least one is required. */
export interface TaskSelector {
  readonly ids?: readonly string[];
  readonly group?: string;
  readonly queue?: string;
  readonly states?: readonly TaskState[];
}

export interface TaskStore {
  /** Stores tasks; ids that exist already are left as they are. Returns the ids that are new. */
  enqueue(tasks: readonly NewTask[]): Promise<string[]>;
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
   * Failures, crashes and cancel requests are forgotten; progress and fence stay. Returns how many.
   */
  release(selector: TaskSelector): Promise<number>;
  /**
   * Takes back leases that have run out, and those of `deadWorkers` at once. Each counts as a crash; a task with
   * `poisonAfter` crashes since its last progress becomes dead, with an error that says so.
   */
  sweep(options: {
    readonly deadWorkers?: readonly string[];
    readonly poisonAfter: number;
  }): Promise<{ expired: string[]; poisoned: string[] }>;
  /** Milliseconds until something in these queues can be claimed or a lease there runs out; 0 now, null never. */
  due(queues: readonly string[]): Promise<number | null>;
  query(selector: TaskSelector): Promise<TaskRecord[]>;
  /** Calls back soon after any process may have made a task claimable. Returns the way to stop. */
  wake(listener: () => void): () => void;
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
  /** The store's clock. */
  now(): Promise<Instant>;
  close(): Promise<void>;
}
