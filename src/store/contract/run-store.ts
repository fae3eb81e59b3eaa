import type { Lease } from "./task.ts";
import type { Instant, Json } from "./value.ts";

/**
 * How a run stands. `pending` until its first worker begins; `succeeded`, `failed` and `cancelled` are final;
 * `paused` waits for a resume.
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
  readonly name: string;
  /** A file URL, or a name the program registered; null when the job exists only in the code that ran it. */
  readonly module: string | null;
  readonly params: Json;
}

/** What a run begins with. */
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

/** A run as the store holds it. */
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

/** What `updateRun` changes; what is left out stays as it is. */
export interface RunPatch {
  readonly state?: RunState;
  readonly note?: string | null;
  readonly details?: Json;
  readonly identity?: Json;
  /** Numbers of quarantined items that this run has replayed: marked in the same step. */
  readonly replayed?: readonly number[];
}

/** A point of a run's history; `value` holds the counts at that time. */
export interface Sample {
  readonly at: Instant;
  readonly value: Json;
}

/** An item that failed, kept whole. */
export interface QuarantinedItem {
  /** The shard and the item's ordinal in it: the same item has the same position on every attempt. */
  readonly shard: number;
  readonly ordinal: number;
  readonly raw: Uint8Array;
  /** For people: where the item stands in the source, such as `people.csv line 15310`. */
  readonly at: string;
  readonly reason: string;
  readonly code: string | null;
}

/** A quarantined item as the store holds it. */
export interface QuarantineRecord extends QuarantinedItem {
  /** Grows in the order in which items were quarantined; unique in the store. */
  readonly number: number;
  /** The run that replayed it successfully. */
  readonly replayedBy: string | null;
}

/** The part of a store that keeps runs with their history and their quarantined items. */
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
  addSample(run: string, value: Json): Promise<void>;
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
      /** Leave out what was replayed. */
      readonly openOnly?: boolean;
    },
  ): Promise<QuarantineRecord[]>;
  quarantineCount(run: string, options?: { readonly openOnly?: boolean }): Promise<number>;
}
