import type { Lease } from "./task.ts";
import type { Instant, Json } from "./value.ts";

/**
 * The state of a run. It is `pending` until its first worker begins; `paused` waits for a resume; `pausing` and `cancelling`
 * last until every shard has stopped; `succeeded`, `failed` and `cancelled` are final.
 */
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
  /** The name of the job. */
  readonly name: string;
  /** A file URL, or a name the program registered; null when the job exists only in the code that ran it. */
  readonly module: string | null;
  /** What the module's function is called with. */
  readonly params: Json;
}

/** A run to create. */
export interface NewRun {
  /** Chosen by the caller; unique in the store. */
  readonly id: string;
  /** How a process finds the job. */
  readonly job: JobReference;
  /** Two runs with one key are the same work: only one of them may be unfinished at a time. */
  readonly key: string;
  /** What the source looked like when the run began; the batch layer refuses to resume on anything else. */
  readonly identity: Json;
  /**
   * The id of the run whose quarantine this one replays.
   * @default none
   */
  readonly replayOf?: string;
  /**
   * What the batch layer keeps with the run; stored in the same transaction, so that no crash can leave a run without it.
   * @default null
   */
  readonly details?: Json;
}

/** A run as the store holds it. */
export interface RunRecord {
  /** The id that `createRun` was given. */
  readonly id: string;
  /** How a process finds the job. */
  readonly job: JobReference;
  /** Two runs with one key are the same work. */
  readonly key: string;
  /** What the source looked like when the run began. */
  readonly identity: Json;
  /** The id of the run whose quarantine this one replays; null for other runs. */
  readonly replayOf: string | null;
  /** The state of the run. */
  readonly state: RunState;
  /** Why it is in this state, for people: the error, the throttle's reason, who paused it. */
  readonly note: string | null;
  /** What the batch layer keeps with the run: plan, options, final summary. */
  readonly details: Json;
  /** When it was created. */
  readonly createdAt: Instant;
  /** When `updateRun` last changed it. */
  readonly updatedAt: Instant;
  /** When it came to a final state; null before. */
  readonly finishedAt: Instant | null;
}

/** What `updateRun` changes; a member that is left out stays as it is. */
export interface RunPatch {
  /** The new state. */
  readonly state?: RunState;
  /** The new note; null removes it. */
  readonly note?: string | null;
  /** Replaces what the batch layer keeps with the run. */
  readonly details?: Json;
  /** Replaces what the source looked like. */
  readonly identity?: Json;
  /**
   * Numbers of quarantined items that this run has replayed: marked in the same transaction.
   * @default none
   */
  readonly replayed?: readonly number[];
}

/** A point of a run's history. */
export interface Sample {
  /** When it was added. */
  readonly at: Instant;
  /** What `addSample` was given: the counts at that time. */
  readonly value: Json;
}

/** An item that failed, kept whole. */
export interface QuarantinedItem {
  /** The number of its shard. */
  readonly shard: number;
  /** Its ordinal in the shard: the same item has the same one on every attempt. */
  readonly ordinal: number;
  /** The item as the source gave it. */
  readonly raw: Uint8Array;
  /** For people: where the item stands in the source, such as `people.csv line 15310`. */
  readonly at: string;
  /** Why it failed, in a sentence. */
  readonly reason: string;
  /** The code of the error, such as a SQLSTATE; null when it had none. */
  readonly code: string | null;
}

/** A quarantined item as the store holds it. */
export interface QuarantineRecord extends QuarantinedItem {
  /** Grows in the order in which items were quarantined; unique in the store. */
  readonly number: number;
  /** The id of the run that replayed it successfully; null while none has. */
  readonly replayedBy: string | null;
}

/** The part of a store that keeps runs with their history and their quarantined items. */
export interface RunStore {
  /**
   * Stores a run as `pending`, unless an unfinished run has the same key: then that one is returned, and `created` is false.
   *
   * @throws {PawlError} `store.run-exists` where a run has the id already, `store.unstorable` for what is not JSON
   */
  createRun(run: NewRun): Promise<{ run: RunRecord; created: boolean }>;
  /** The run with this id; undefined when there is none. */
  run(id: string): Promise<RunRecord | undefined>;
  /** Runs, newest first: those whose id begins with `idPrefix` and whose key is `key`, at most `limit`; without them all. */
  runs(filter: {
    readonly idPrefix?: string;
    readonly key?: string;
    readonly limit?: number;
  }): Promise<RunRecord[]>;
  /**
   * Changes a run if its state is one of `from`; false when it was not. A final state stamps `finishedAt`, any other
   * clears it.
   *
   * @throws {PawlError} `store.run-elsewhere` where the run would be unfinished again while another one has its key
   */
  updateRun(id: string, from: readonly RunState[], patch: RunPatch): Promise<boolean>;
  /**
   * Adds a point to the history of a run; old points are thinned out evenly, so that a run keeps at most a few hundred.
   *
   * @throws {PawlError} `store.no-such-run`
   */
  addSample(run: string, value: Json): Promise<void>;
  /** The history of a run, oldest first. */
  samples(run: string): Promise<Sample[]>;
  /**
   * Replaces what is quarantined of one shard from the ordinal `fromOrdinal` on, so that an attempt that is repeated overwrites what the
   * attempt before it left. `lease` is the claim under which the shard is worked on.
   *
   * @throws {RangeError} for an item of another shard or before `fromOrdinal`
   * @throws {LostError} when the lease is lost; nothing is changed then
   * @throws {PawlError} `store.no-such-run`
   */
  quarantine(
    run: string,
    shard: number,
    fromOrdinal: number,
    items: readonly QuarantinedItem[],
    lease?: Lease,
  ): Promise<void>;
  /**
   * A page of the quarantined items of a run, in order of shard and ordinal: at most `limit` after the position `after`.
   * `openOnly` leaves out what was replayed.
   */
  quarantined(
    run: string,
    page: {
      readonly after?: { readonly shard: number; readonly ordinal: number };
      readonly limit: number;
      readonly openOnly?: boolean;
    },
  ): Promise<QuarantineRecord[]>;
  /** How many items of a run are quarantined; with `openOnly`, how many of them were not replayed. */
  quarantineCount(run: string, options?: { readonly openOnly?: boolean }): Promise<number>;
}
