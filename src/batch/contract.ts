/**
 * The ends of a batch: where items come from and where they go. The engine in this folder knows nothing else about them. They
 * are in `connect/`, or in the user's own code.
 */
import type { Duration } from "../durations.ts";
import type { ItemError } from "../errors.ts";
import type { Size } from "../sizes.ts";
import type { Json, QuarantineRecord } from "../store/contract.ts";

/** A position in a shard that only its source understands. */
export type Cursor = Json;

/** What became of the items so far. `read + added = written + unchanged + skipped + quarantined`, always. */
export interface Counts {
  /** Items taken from the source. */
  readonly read: number;
  /** Items a transform returned beyond one for one. */
  readonly added: number;
  /** Inserted or changed in the target. */
  readonly written: number;
  /** Already in the target as they should be. */
  readonly unchanged: number;
  /** Dropped on purpose: by the transform, by `ignore`, or by a later item of the same chunk with the same key. */
  readonly skipped: number;
  /** Put aside with their reason. */
  readonly quarantined: number;
  /** Of the items above, those whose key came again, as far as the sink saw; informative, not part of the sum. */
  readonly duplicates: number;
  /** Source bytes behind the cursor. */
  readonly bytes: number;
}

/** How far a shard is. Committed together with the effect where the sink can. */
export interface Checkpoint {
  /** After the last committed chunk; null before the first. */
  readonly cursor: Cursor | null;
  /** Of all items up to the cursor. */
  readonly counts: Counts;
  /** The shard has no further chunks. */
  readonly done: boolean;
}

/** Consecutive items of one shard that are processed and committed together. */
export interface Chunk<T> {
  /** How many items. If only reading or changing them shows that, the number is right once the chunk is written. */
  readonly items: number;
  /** How many source bytes, as `Description.bytes` counts them: compressed ones, for a compressed source. */
  readonly bytes: number;
  /** The cursor after this chunk. */
  readonly end: Cursor;
  /**
   * The items in order, decoded a slice at a time; an item that cannot be decoded stands there as its error.
   * May be called again: each call starts from the first item.
   */
  slices(): AsyncIterable<readonly (T | ItemError)[]>;
  /** What item `index` was in the source, and where it stands there, for people. */
  origin(index: number): Promise<Origin>;
  /** Where a transform has made the items: from what, and how to make them again. */
  readonly transformed?: TransformedItems;
}

/** How a transform made the items of a chunk: for a sink that finds that an item of the source has changed since. */
export interface TransformedItems {
  /** The chunk that the transform was given. */
  readonly from: Chunk<unknown>;
  /** Which item of `from` item `index` was made from. */
  sourceIndex(index: number): number;
  /** Runs the transform over a newer version of an item; one that it refuses is given as its error. */
  again(item: unknown): Promise<readonly unknown[] | ItemError>;
}

/** An item as it stands in its source, for the quarantine. */
export interface Origin {
  /** The item as it is stored there, such as a line of a file without its line end. */
  readonly raw: Uint8Array;
  /** Such as `people.csv line 15310`. */
  readonly at: string;
}

/**
 * In what order a sink must see items so that the last of several with one key wins.
 * - `any`: order does not matter
 * - `byKey`: items with equal keys in source order. A source that can prove that keys never repeat may cut many
 *   shards; any other returns one shard.
 * - `total`: source order, so one shard
 */
export type Ordering =
  | { readonly kind: "any" }
  | { readonly kind: "byKey"; readonly key: readonly KeyColumn[] }
  | { readonly kind: "total" };

/** A column of a key, and how its texts compare. */
export interface KeyColumn {
  /** As in the source's header. */
  readonly name: string;
  /**
   * How two source texts compare as keys in the target: as whole numbers (`07` is `7`), as UUIDs (case, braces and
   * hyphens do not count), or byte by byte.
   */
  readonly equality: "integer" | "uuid" | "bytes";
}

/** What the values of a column are, as its source declares it. */
export interface DeclaredColumn {
  /** As PostgreSQL writes it, such as `numeric(10,2)`, `text[]` or `jsonb`. */
  readonly type: string;
  /** Whether nulls are among them. */
  readonly nullable: boolean;
}

/** What a source is, before anything of it is read. */
export interface Description {
  /** For people, such as `people.csv`. */
  readonly name: string;
  /** What an item is called in the plural: `rows`, `objects`. */
  readonly unit: string;
  /** Column names, where items are rows. */
  readonly columns: readonly string[] | null;
  /** What the values of each of `columns` are, where the source knows it. @default only the values themselves tell */
  readonly declared?: readonly DeclaredColumn[];
  /** Changes when the content changes; compared on resume. */
  readonly identity: Json;
  /** Size in bytes as stored, when known. */
  readonly bytes: number | null;
  /** Sentences the user should see before the work begins. */
  readonly notes: readonly string[];
  /** How to put raw items back into a file, where they are lines of one. */
  readonly dialect?: {
    readonly delimiter: string;
    /** Empty where no character quotes. */
    readonly quote: string;
    readonly escape?: string;
    readonly columns: readonly string[];
  };
}

/** A range of the source that can be worked on alone. */
export interface Shard {
  /** What `read` needs to know of the range. It is stored, and may be read on another machine. */
  readonly data: Json;
  /** How many items, when known before reading; so many it must be in the end. */
  readonly items: number | null;
  /** About how many, where items come and go while they are read. */
  readonly estimate?: number;
  /** How many source bytes (compressed ones, for a compressed source), when known. */
  readonly bytes: number | null;
}

/** How a source is cut into shards. */
export interface ShardPlan {
  /** In the order of the source. */
  readonly shards: readonly Shard[];
  /** Items whose key comes again later, when the source counted them. */
  readonly duplicates: number | null;
  /** Sentences the user should see before the work begins. */
  readonly notes: readonly string[];
}

/** How large the next chunk should be; the engine changes the numbers as it learns. Read before each chunk. */
export interface ChunkSize {
  /** At most so many items. */
  readonly items: number;
  /** Bytes the chunk may take in memory: decoded ones, for a compressed source. */
  readonly bytes: number;
}

/** What a source may use while it cuts itself into shards. */
export interface PlanOptions {
  /** Ends the planning, which rejects with its reason then. */
  readonly signal: AbortSignal;
  /** Called with the source bytes read so far, and the total. @default nothing is told */
  readonly onProgress?: (done: number, total: number) => void;
  /** A folder for large intermediate files; removed by the caller. */
  readonly scratch: string;
  /** Of this run, for what reading its shards needs on this machine; it stays until the sink is finalized. May not exist yet. */
  readonly folder: string;
  /** Bytes the planning may hold at once. */
  readonly memory: number;
  /** What the sink says of columns, by their name in the source. @default nothing is known of them */
  readonly kinds?: readonly (readonly [column: string, kind: ColumnKind])[];
}

/** What a column is in the target, where that says how the texts of a source are to be read. */
export type ColumnKind = "number" | "date" | CompositeKind;

/** A type with numbers or dates in its texts that a source cannot read: money, arrays, ranges, rows and the like. */
export type CompositeKind = {
  /** As the target declares it, such as `date[]`. */
  readonly type: string;
  /** Whether dates can stand in it. */
  readonly dates: boolean;
  /** Whether its numbers can have decimals; money is written as the locale of the server says. */
  readonly numbers: "none" | "whole" | "any" | "money";
};

/** Where the items of a job come from. */
export interface Source<T> {
  /** What the source is; called again when a run continues. Rejects with a PawlError where it cannot be read. */
  describe(): Promise<Description>;
  /** What differs between two identities, in one sentence; null when nothing that matters does. */
  difference?(before: Json, now: Json): string | null;
  /** Cuts the source into at most about `n` shards that satisfy the ordering. */
  shards(n: number, ordering: Ordering, options: PlanOptions): Promise<ShardPlan>;
  /** The first items, at most `n` of them, for type inference and dry runs. Later reads start from the beginning. */
  sample(n: number): Promise<readonly T[]>;
  /** Chunks from the cursor on; null means from the beginning of the shard. */
  read(shard: Shard, cursor: Cursor | null, size: ChunkSize, signal: AbortSignal): AsyncIterable<Chunk<T>>;
  /** A source over items that were quarantined. Without it, `raw` is taken as the JSON of the item. */
  replay?(items: () => AsyncIterable<QuarantineRecord>): Source<T>;
}

/** An item of the chunk that the target refused. */
export interface Failure {
  /** Which item of the chunk, from 0. */
  readonly index: number;
  /** Why, in one sentence for people. */
  readonly reason: string;
  /** For programs, such as PostgreSQL's `23505`; absent where there is none. */
  readonly code?: string;
}

/** What became of a chunk. `written + unchanged + skipped + failures.length` is the number of items in it. */
export interface WriteOutcome {
  /** Inserted or changed in the target. */
  readonly written: number;
  /** Already in the target as they should be. */
  readonly unchanged: number;
  /** Dropped on purpose: by `ignore`, or by a later item of the chunk with the same key. */
  readonly skipped: number;
  /** Of the items above, those whose key came again; informative, not part of the sum. */
  readonly duplicates: number;
  /** The items that the target refused, which are quarantined. */
  readonly failures: readonly Failure[];
}

/**
 * Called by a writer once the effect is ready but before it commits: the engine puts the failures away safely and
 * returns the checkpoint that belongs in the same commit.
 */
export type CheckpointBuilder = (outcome: WriteOutcome) => Promise<Checkpoint>;

/** Writes the chunks of one shard under one fence. */
export interface Writer<T> {
  /** The checkpoint the target holds, which is the truth; null when it holds none. */
  readonly checkpoint: Checkpoint | null;
  /**
   * Writes a chunk and commits it with its checkpoint, or changes nothing and throws: a TransientError when trying
   * again may help, `LostError` when the fence has moved on, anything else when only a person can help.
   */
  write(chunk: Chunk<T>, buildCheckpoint: CheckpointBuilder): Promise<void>;
  /** Commits a checkpoint that has no effect beside it: the end of a shard. Durable when it resolves. */
  finish(checkpoint: Checkpoint): Promise<void>;
  /** Gives up what it holds of the target, such as a connection, also after an error. */
  close(): Promise<void>;
}

/** What a sink is opened with. */
export interface SinkContext {
  /** The id of the run. */
  readonly run: string;
  /** What the source says of itself. */
  readonly source: Description;
  /** Whether a transform stands between source and sink, so that items may have other columns and keys. */
  readonly transformed: boolean;
  /** Check the target, but change nothing in it. */
  readonly dryRun: boolean;
  /** The items are only some of those of the job, such as those that are replayed: what is not among them is not missing. */
  readonly partial?: boolean;
  /** The first items as they will reach the sink: after the transform, where there is one. */
  readonly sample: () => Promise<readonly unknown[]>;
  /** Bytes the sink may hold at once, over all its writers. */
  readonly memory: number;
  /** As `PlanOptions.folder`. */
  readonly folder: string;
  /** A folder that all runs on this machine share, for what later ones need not find out again; it may be removed at any time. */
  readonly cache: string;
  /** For a sink that does many things at once. */
  readonly limits: WorkLimits;
  /** Aborted when the run is to stop. */
  readonly signal: AbortSignal;
}

/** How much may be under way at once and how fast, over all writers of a process: what the job allows, or what it learns. */
export interface WorkLimits {
  /** Runs `work` when there is room and the rate allows another item. `overloaded` is called when the target asks for less. */
  run<T>(work: (overloaded: () => void) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Waits until so many bytes may pass. */
  pass(bytes: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Says why the run should wait now, in a few words for people, or null when it need not. Asked before each chunk, and once a
 * second while the run waits.
 *
 * @example
 * ```ts
 * const whileBackup: Throttle = async (signal) => {
 *   const response = await fetch("http://backup.example/state", { signal });
 *   return (await response.text()) === "running" ? "the backup is running" : null;
 * };
 * ```
 */
export type Throttle = (signal: AbortSignal) => string | null | Promise<string | null>;

/** A sink that has checked its target and is ready to write. */
export interface OpenSink<T> {
  /**
   * - `transactional`: effect and checkpoint in one commit of the target
   * - `idempotent`: writing a chunk twice is the same as once; the checkpoint follows in the store
   * - `none`: refused unless the job says `atLeastOnce`
   */
  readonly guarantee: "transactional" | "idempotent" | "none";
  /** In what order it must see the items. */
  readonly ordering: Ordering;
  /** Columns that are or hold numbers or dates, by their name in the source; for sources of texts. */
  readonly kinds?: PlanOptions["kinds"];
  /** Sentences the user should see before the work begins. */
  readonly notes: readonly string[];
  /** The chunk sizes that suit this sink, where the job does not say otherwise. */
  readonly chunkSizing?: ChunkSizing;
  /**
   * Turns items into the form this sink writes, while the chunk before is being written: the results of a transform need
   * not be held as objects then. Reads the chunk's slices once, and returns a chunk that `write` knows. Its `items`
   * counts what was read.
   */
  pack?(chunk: Chunk<T>): Promise<Chunk<T>>;
  /**
   * Whether `write` takes this chunk in a form of its own rather than by its `slices`. Of any other chunk it is given
   * only the items: those that could not be decoded are quarantined before.
   */
  takesWhole?(chunk: Chunk<unknown>): boolean;
  /**
   * A writer for one shard under one fence; a writer with a lower fence can no longer commit. `distinct` says that no
   * two items of the run have the same key, by the `ordering` this sink asked for.
   */
  writer(shard: number, fence: number, distinct?: boolean): Promise<Writer<T>>;
  /**
   * For a sink that keeps checkpoints in the target: the numbers of the shards that are done by them; null if that is not
   * known.
   */
  finished?(): Promise<ReadonlySet<number> | null>;
  /**
   * After the last shard: removes what only the run needed. Safe to repeat. `how` says whether the run succeeded or was given
   * up. Returns what the user should be told about a run that succeeded.
   */
  finalize(how?: "succeeded" | "given up"): Promise<Finalization>;
  /** Writes a chunk and takes it back at once, to show what would become of it. */
  dryRun?(chunk: Chunk<T>): Promise<WriteOutcome>;
  /** What a dry run has to read the whole source for; null where one chunk tells enough. */
  survey?(): Promise<Survey<T> | null>;
  /** Gives up what it holds of the target, after its writers are closed; also after an error. */
  close(): Promise<void>;
}

/** Reads all that a source gives, without writing any of it. */
export interface Survey<T> {
  /** Looks at the items of a chunk as they would reach the sink. */
  take(chunk: Chunk<T>): Promise<void>;
  /** Told how many items failed before they reached the sink, and for how many the transform returned nothing. */
  skip(failed: number, leftOut: number): void;
  /** What it has found, in sentences for the user. */
  finalize(): Promise<readonly string[]>;
  /** Gives up what it holds, also after an error. */
  close(): Promise<void>;
}

/** Clauses that the run's note joins, perhaps with how many rows of the target were deleted because no item named them; or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: most sinks have nothing to tell.
export type Finalization = readonly string[] | FinalizedSink | void;

/** What a sink tells of a run that has ended. */
export interface FinalizedSink {
  /** Clauses for the note of the run. */
  readonly told: readonly string[];
  /** Rows of the target that were deleted because no item named them. */
  readonly deleted?: number;
}

/** The chunk sizes that suit a sink; what the job says comes first. */
export interface ChunkSizing {
  /**
   * How long one chunk should take.
   * @default "250ms"
   */
  readonly commitTime?: Duration;
  /**
   * The size of the first chunk, in bytes of the source.
   * @default "1MB"
   */
  readonly firstSize?: Size;
  /**
   * The size of the smallest chunk, in bytes of the source.
   * @default "64KB"
   */
  readonly minSize?: Size;
  /** The size of the first chunk in items, where the number of items and not their bytes says how long a commit takes. */
  readonly firstItems?: number;
}

/** Where the items of a job go to. */
export interface Sink<T> {
  /**
   * Which locations it works with, whatever their names: kept with the run, and compared when the run is opened again,
   * before `open` may change anything. For a sink whose checkpoints are in the store: the target cannot show then that it is
   * another one.
   */
  identity?(): Promise<Json>;
  /** What differs between two identities, in one sentence; null when nothing that matters does. */
  difference?(before: Json, now: Json): string | null;
  /** Checks the target and makes it ready. Throws a PawlError with one sentence if the target cannot take the items. */
  open(context: SinkContext): Promise<OpenSink<T>>;
}
