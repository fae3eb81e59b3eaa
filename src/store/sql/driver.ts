/** What a database does in its own way, because databases differ in what is fast, in clocks, locks and notifications. */
import type * as contract from "../contract.ts";
import type { StateTransitions, Transitioned } from "./state-transitions.ts";
import type { Procedure } from "./statement.ts";

/** What listeners wait for: tasks that can be claimed (`work`), or tasks that were settled or made progress (`results`). */
export type Topic = "work" | "results";

/** What a database does in its own way. Each operation is documented in the contract. */
export interface Driver<T extends StateTransitions = StateTransitions> {
  readonly location: string;
  readonly address: string;
  readonly concurrent: boolean;

  /** Runs a procedure that may be run twice without harm, such as one that reads. */
  read<R>(procedure: () => Procedure<R>): Promise<R>;
  /** Runs a procedure in one transaction, exactly once: durable when the promise resolves. Rejecting means: nothing happened. */
  write<R>(procedure: () => Procedure<R>): Promise<R>;
  /** The same for a procedure that changes the states of tasks: writes what follows from that, and notifies listeners. */
  transition<R>(procedure: (transitions: T) => Procedure<R>): Promise<R>;
  /** Whether a write failed because another unfinished run has the same key. */
  isDuplicateRun(error: unknown): boolean;

  // Parts of the procedures that are shared, each in the transaction of its procedure.

  /** Stores the tasks whose id, unique key and position in a group are free; returns their ids. */
  insertTasks(transitions: T, tasks: readonly contract.NewTask[]): Procedure<string[]>;
  /**
   * Ends first attempts that succeeded, wrote no log and are followed by nothing, of tasks in no group: only their own row
   * needs to know of them. Claims that are no longer held are left out of what is returned; it may also leave out what
   * `endClaims` can do as well.
   */
  succeedAlone(
    transitions: T,
    settlements: readonly contract.Settlement[],
  ): Procedure<ReadonlySet<contract.Settlement>>;
  /** Ends claims. Those that are no longer held are left out of what is returned. */
  endClaims(settlements: readonly contract.Settlement[]): Procedure<readonly SettledTask[]>;
  /** Takes back the leases that have run out and those of dead workers: each is a crash. */
  takeBackLeases(deadWorkers: readonly string[], poisonAfter: number): Procedure<readonly TakenBack[]>;
  /** The time now, and the latest time that is written in the store. */
  readClock(): Procedure<ClockReading>;
  /** Moves the times that are kept by the wall clock, such as due times, after it was set back. */
  followClock(reading: ClockReading): Procedure<void>;
  /** Stores quarantined items of a shard, in their order. */
  insertItems(run: string, shard: number, items: readonly contract.QuarantinedItem[]): Procedure<void>;

  // Operations that are each database's own.

  enqueue(tasks: readonly contract.NewTask[], options: contract.StoreEnqueueOptions): Promise<string[]>;
  claim(request: contract.ClaimRequest): Promise<contract.Claim[]>;
  renew(
    leases: readonly contract.Lease[],
    leaseMs: number,
  ): Promise<{ lost: string[]; cancelRequested: string[] }>;
  progress(reports: readonly contract.ProgressReport[]): Promise<{ lost: string[] }>;
  claimableInMs(queues: readonly string[], buckets: readonly contract.BucketRate[]): Promise<number | null>;
  /** Whether a sweep would find anything. */
  canSweep(deadWorkers: readonly string[]): Promise<boolean>;
  queues(): Promise<contract.QueueRecord[]>;
  prune(limit: number): Promise<number>;
  changes(after: number | null, limit: number): Promise<{ changes: contract.ChangeRecord[]; last: number }>;
  now(): Promise<contract.Instant>;

  /** Calls `listener` soon after a commit of any process that concerns the topic; returns a function that stops it. */
  listen(topic: Topic, listener: () => void): () => void;
  /** Notifies listeners, here and elsewhere, of a commit of this store. */
  notify(topic: Topic): void;
  close(): Promise<void>;
}

/** A task whose claim has ended. */
export interface SettledTask extends Transitioned {
  readonly state: contract.TaskState;
  readonly child_index: number | null;
}

/** A task whose lease was taken back, as it is now. */
export interface TakenBack extends Transitioned {
  readonly seq: number;
  readonly state: contract.TaskState;
}

/** Two instants: where they are far apart, the clock was set back. */
export interface ClockReading {
  readonly now: contract.Instant;
  readonly latest: contract.Instant;
}
