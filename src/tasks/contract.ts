/** The types of tasks, which refer to each other. */

import type { Duration } from "../durations.ts";
import type { Backoff } from "../retry.ts";
import type { BucketRate, Json, Lease, TaskRecord } from "../store/contract.ts";
import type { TaskHandle } from "./client/handle.ts";
import type { Schema } from "./define/schema.ts";
import type { Link } from "./flow/link.ts";
import type { Stored } from "./stored-value.ts";

/** So many starts a second, minute, hour or day: `"100/m"`. */
export type RateLimit = `${number}/${"s" | "m" | "h" | "d"}`;

/** Where an attempt runs: on the worker's event loop, or in a child of its own kind. */
export type TaskIsolation = "none" | "thread" | "process";

export type Maps<In> = Readonly<Record<string, (previous: never, argument: never) => In>>;

/** How a task is run. Durations are milliseconds, or text such as `"30s"`. */
export interface TaskOptions<In, M extends Maps<In>> {
  /** What it is called in the store. */
  readonly name: string;
  /** The line it stands in; `default`. */
  readonly queue?: string;
  /** Failures after which it is tried again; 5. */
  readonly retries?: number;
  /** A random wait up to `base · 2^n`, at most `cap`; `1s` and `5m`. */
  readonly backoff?: {
    readonly base?: Duration;
    readonly cap?: Duration;
    /** `none`: exactly that long. */
    readonly jitter?: "full" | "none";
  };
  /** Which errors are worth another try; all but a PermanentError. */
  readonly retryOn?: (error: unknown) => boolean;
  /** Then the signal aborts. */
  readonly softLimit?: Duration;
  /** Then the child that it runs in is ended. */
  readonly hardLimit?: Duration;
  /** `none` is the default; `process` with a hard limit. */
  readonly isolate?: TaskIsolation;
  /** Where a child finds the task: `import.meta`, or the URL of the module. */
  readonly module?: ImportMeta | URL | string;
  /** No window of that length holds more starts, over all workers together. */
  readonly rateLimit?: RateLimit;
  /** Higher first; 0. */
  readonly priority?: number;
  /** While one with the same text waits or runs, another is not stored; `true` goes by the input. */
  readonly unique?: true | ((input: In) => string);
  /** Not begun by then, it is cancelled. */
  readonly expires?: Duration;
  /** How long it is kept once it is settled; `7d`. */
  readonly retention?: Duration;
  /** Functions from what came before in a flow, and perhaps what the link says, to the input; for `via`. */
  readonly maps?: M;
}

export type Handler = (input: never, context: InternalContext) => unknown;

/** A task as the worker knows it: its options checked, its durations in milliseconds. */
export interface Definition {
  readonly name: string;
  readonly queue: string;
  readonly schema: Schema | null;
  readonly handler: Handler;
  readonly maxFailures: number;
  readonly backoff: Backoff;
  readonly retryOn: (error: unknown) => boolean;
  readonly softMs: number | null;
  readonly hardMs: number | null;
  readonly isolate: TaskIsolation;
  /** The URL of its module; null when a child finds it in the modules that its worker was given. */
  readonly module: string | null;
  readonly rate: BucketRate | null;
  readonly priority: number;
  readonly unique: true | ((input: never) => string) | null;
  readonly expiresMs: number | null;
  /** Null: for ever. */
  readonly retentionMs: number | null;
  readonly maps: Readonly<Record<string, (previous: never, argument: never) => unknown>>;
  /**
   * A task of Pawl's own, such as a shard of a run: the code that it calls is the program's, so it enqueues where the
   * program does, is not a part of a trace, and an error that nothing waits for ends the process as ever.
   */
  readonly internal: boolean;
}

/** What a task's handler is given besides its input. */
export interface AttemptContext {
  /** The task's id: the same over all attempts. */
  readonly id: string;
  /** How many times it was begun, with this one; crashes and hand-backs count. */
  readonly attempt: number;
  /** How many times it has failed. */
  readonly failures: number;
  /** The claim; its fence grows with each, so that it can guard writes elsewhere. */
  readonly lease: Lease;
  /** When a schedule said that it fires; null where none did. */
  readonly scheduledFor: Date | null;
  /**
   * Aborts when the task should end. Its reason is a SoftLimitError, a CancelledError, a StoppedError (the worker stops;
   * throw, and the task goes back in line) or a LostError (another worker has the task).
   */
  readonly signal: AbortSignal;
  /**
   * Stores how far it is; durable when this resolves, and who does not wait need not. It forgives earlier crashes.
   * Throws a LostError when another worker has the task, a TransientError when the store cannot be written just now, and the
   * PawlError `task.progress` where `current` or `total` is not a finite number or `note` is not a text: nothing is stored then, and
   * the attempt goes on unless it waits for it.
   */
  progress(current: number, total?: number, note?: string): Promise<void>;
  /** Writes a line that is kept with the attempt, in the manner of `console.log`. */
  log(...values: unknown[]): void;
  /** Stores a call of another task. From another attempt of this one the same call is the same task. */
  enqueue<In, Out, M>(
    task: Task<In, Out, M>,
    ...args: InputArguments<In, EnqueueOptions>
  ): Promise<TaskHandle<Stored<Out>>>;
  /** The same with a flow. */
  enqueue<In, Out>(flow: Flow<In, Out>, ...args: InputArguments<In, FlowOptions>): Promise<TaskHandle<Out>>;
  /** Ends this attempt as a failure; by throwing. Without `after` the task's backoff says when it is tried again. */
  retry(options?: { readonly after?: Duration; readonly reason?: string }): never;
}

/** What the handlers of Pawl's own tasks, such as a shard of a run, are given besides. */
export interface InternalContext extends AttemptContext {
  /** The task as it was claimed. */
  readonly record: TaskRecord;
  /** Stores any value as progress, in the manner of `progress`. */
  saveProgress(value: Json): Promise<void>;
}

/** When and how one task runs. */
export interface EnqueueOptions {
  /** Not before so long from now. */
  readonly delay?: Duration;
  /** Not before this moment, by the store's clock. */
  readonly at?: Date;
  /** Higher first. */
  readonly priority?: number;
  readonly queue?: string;
  /** The same task and key is the same call: it is stored once. */
  readonly key?: string;
  /** Not begun by then, it is cancelled. */
  readonly expires?: Duration;
  /** A client of the store's own database with an open transaction, of which the task becomes part. */
  readonly tx?: unknown;
}

/** Options for many tasks enqueued at once. */
export interface EnqueueManyOptions<In> extends Omit<EnqueueOptions, "key"> {
  /** The key of each. */
  readonly key?: (input: In, index: number) => string;
}

/** When and how a flow begins. */
export interface FlowOptions extends Pick<EnqueueOptions, "delay" | "at" | "tx"> {
  /** A flow with the same key is the same flow: it is stored once. */
  readonly key?: string;
}

/** Nothing need be given where nothing is taken. */
export type InputArguments<In, Options> = unknown extends In
  ? [input?: In, options?: Options]
  : // biome-ignore lint/suspicious/noConfusingVoidType: a handler that takes nothing
    [In] extends [undefined | void]
    ? [input?: In, options?: Options]
    : [input: In, options?: Options];

/** What a link of a flow says besides its task. */
export type LinkOptions = Pick<EnqueueOptions, "delay" | "priority" | "queue" | "expires">;

/** A function in `maps` that takes a second argument is given it by the link. */
type ViaOptions<F> = F extends (previous: never, ...rest: infer Rest) => unknown
  ? Rest extends [infer Argument]
    ? [options: LinkOptions & { readonly with: Argument }]
    : [options?: LinkOptions]
  : never;

/** A function that is stored before it runs. It takes `In` and gives `Out`. */
export interface Task<In, Out, M = Record<never, never>> extends Link<In, Stored<Out>> {
  readonly name: string;
  /** For the worker. */
  readonly definition: Definition;
  /** Stores one call. It is durable when this resolves. */
  enqueue(...args: InputArguments<In, EnqueueOptions>): Promise<TaskHandle<Stored<Out>>>;
  /** Stores a call for each input as it is read, up to 2,000 at a time. Returns how many there were, and were new. */
  enqueueMany(
    inputs: Iterable<In> | AsyncIterable<In>,
    options?: EnqueueManyOptions<In>,
  ): Promise<{ count: number; created: number }>;
  /** In a flow: with an input of its own, whatever came before. */
  with(input: In, options?: LinkOptions): Link<unknown, Stored<Out>>;
  /** In a flow: given what the function of this name in `maps` makes of the result before. */
  via<K extends keyof M & string>(
    name: K,
    ...options: ViaOptions<M[K]>
  ): Link<M[K] extends (previous: infer P, ...rest: never[]) => unknown ? P : never, Stored<Out>>;
}

// biome-ignore lint/suspicious/noExplicitAny: what holds for tasks of every kind
export type Anything = any;

/** A task of any input and result, for lists of them. */
export type AnyTask = Task<Anything, Anything, Anything>;

/** Links put together. It is a link itself, so flows nest freely. */
export interface Flow<In, Out> extends Link<In, Out> {
  /** Stores it to be run, given what its first link takes. The handle is that of its end. */
  enqueue(...args: InputArguments<In, FlowOptions>): Promise<TaskHandle<Out>>;
}

export type AnyFlow = Flow<Anything, Anything>;
