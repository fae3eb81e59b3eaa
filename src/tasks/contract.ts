/** The types of tasks, which refer to each other. */

import type { Duration } from "../durations.ts";
import type { Backoff } from "../retry.ts";
import type { BucketRate, Json, Lease, TaskRecord } from "../store/contract.ts";
import type { TaskHandle } from "./client/handle.ts";
import type { Schema } from "./define/schema.ts";
import type { Link } from "./flow/link.ts";
import type { Stored } from "./stored-value.ts";

/** The most starts in any second (`s`), minute (`m`), hour (`h`) or day (`d`), such as `"100/m"`. */
export type RateLimit = `${number}/${"s" | "m" | "h" | "d"}`;

/** Where an attempt runs: in the thread of the worker (`none`), in a child thread, or in a child process. */
export type TaskIsolation = "none" | "thread" | "process";

/** Functions that make the input of a task from the result before it in a flow, and from an argument of the link. */
export type Maps<In> = Readonly<Record<string, (previous: never, argument: never) => In>>;

/** How a task is run. */
export interface TaskOptions<In, M extends Maps<In>> {
  /** The name of the task in the store, at most 255 characters. Two tasks of a program cannot have the same name. */
  readonly name: string;
  /**
   * The queue in which its calls wait.
   * @default "default"
   */
  readonly queue?: string;
  /**
   * Failures after which it is tried again.
   * @default 5
   */
  readonly retries?: number;
  /**
   * How long it waits after its n-th failure in a row: a random time up to `base · 2^(n − 1)`, at most `cap`. Where its error has
   * `retryAfter`, or the header `retry-after` in its `headers`, its `response` or its cause, it waits for that before, at most a day.
   */
  readonly backoff?: {
    /** @default "1s" */
    readonly base?: Duration;
    /** @default "5m" */
    readonly cap?: Duration;
    /**
     * `full`: a random time up to the bound; `none`: exactly the bound.
     * @default "full"
     */
    readonly jitter?: "full" | "none";
  };
  /**
   * Which errors are worth another try. A PermanentError never is.
   * @default every error
   */
  readonly retryOn?: (error: unknown) => boolean;
  /**
   * After this time the signal of an attempt aborts with a SoftLimitError.
   * @default no limit
   */
  readonly softLimit?: Duration;
  /**
   * After this time the child in which an attempt runs is killed. It must be longer than `softLimit`.
   * @default no limit
   */
  readonly hardLimit?: Duration;
  /**
   * Where attempts run.
   * @default "process" with a `hardLimit`, otherwise "none"
   */
  readonly isolate?: TaskIsolation;
  /**
   * The module in which a child finds the task: `import.meta`, or the URL or path of the module.
   * @default the modules that the worker is given
   */
  readonly module?: ImportMeta | URL | string;
  /**
   * No window of that length holds more starts, over all workers together.
   * @default no limit
   */
  readonly rateLimit?: RateLimit;
  /**
   * Tasks with a higher priority are claimed first: a whole number of 32 bits.
   * @default 0
   */
  readonly priority?: number;
  /**
   * While a task with the same text waits or runs, another one is not stored. `true` makes the text from the input.
   * @default not unique
   */
  readonly unique?: true | ((input: In) => string);
  /**
   * A task that has not begun after this time is cancelled.
   * @default never
   */
  readonly expires?: Duration;
  /**
   * How long it is kept in the store after it has ended; `Infinity` keeps it for ever.
   * @default "7d"
   */
  readonly retention?: Duration;
  /**
   * Functions that make its input from the result before it in a flow, and from an argument of the link: see `via`.
   * @default none
   */
  readonly maps?: M;
}

/** The function of a task. */
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
  /** Null: it is kept for ever. */
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
  /** The id of the task, the same in all attempts: use it to make the work idempotent. */
  readonly id: string;
  /** The number of this attempt, from 1; attempts that crashed or were handed back count. */
  readonly attempt: number;
  /** How many attempts before this one have failed. */
  readonly failures: number;
  /** The lease of this attempt. Its fence grows with each attempt, so that it can guard writes to other systems. */
  readonly lease: Lease;
  /** The time for which a schedule fired it; null for a task that was not scheduled. */
  readonly scheduledFor: Date | null;
  /**
   * Aborts when the attempt should end. Its reason is a SoftLimitError, a CancelledError, a StoppedError (the worker stops:
   * throw, and the task goes back to its queue) or a LostError (another worker has the task).
   */
  readonly signal: AbortSignal;
  /**
   * Stores how far the task is. Progress is durable when this resolves; a handler need not wait for it. Crashes before it no
   * longer count.
   *
   * @param current how much is done, in a unit of the task's own
   * @param total how much there is in all
   * @param note what is being done, for people
   * @throws LostError when another worker has the task
   * @throws TransientError when the store cannot be written just now; the attempt may continue
   * @throws PawlError `task.progress` where `current` or `total` is not a finite number or `note` is not a text
   * @example
   * ```ts
   * task({ name: "thumbnails" }, async (files: string[], context) => {
   *   for (const [at, file] of files.entries()) await context.progress(at, files.length, file);
   * });
   * ```
   */
  progress(current: number, total?: number, note?: string): Promise<void>;
  /** Writes a line to the log of the attempt, formatted as by `console.log`; up to 64 KB are kept. */
  log(...values: unknown[]): void;
  /**
   * Stores a call of another task. When a later attempt of this task makes the same call, it gets the handle of the same
   * task.
   *
   * @throws PawlError as `enqueue` of the task
   */
  enqueue<In, Out, M>(
    task: Task<In, Out, M>,
    ...args: InputArguments<In, EnqueueOptions>
  ): Promise<TaskHandle<Stored<Out>>>;
  /** Stores a flow in the same way. */
  enqueue<In, Out>(flow: Flow<In, Out>, ...args: InputArguments<In, FlowOptions>): Promise<TaskHandle<Out>>;
  /**
   * Ends this attempt as a failure, by throwing. The task is tried again `after` that time, by default after its backoff,
   * unless its retries are used up.
   */
  retry(options?: { readonly after?: Duration; readonly reason?: string }): never;
}

/** The context of the handlers of Pawl's own tasks, such as a shard of a run. */
export interface InternalContext extends AttemptContext {
  /** The task as it was claimed. */
  readonly record: TaskRecord;
  /** Stores any value as progress, as `progress` does. */
  saveProgress(value: Json): Promise<void>;
}

/** When and how one task runs. */
export interface EnqueueOptions {
  /**
   * It does not begin before this time has passed. Not together with `at`.
   * @default 0
   */
  readonly delay?: Duration;
  /**
   * It does not begin before this moment, by the clock of the store. Not together with `delay`.
   * @default now
   */
  readonly at?: Date;
  /**
   * Tasks with a higher priority are claimed first.
   * @default that of the task
   */
  readonly priority?: number;
  /**
   * The queue in which it waits.
   * @default that of the task
   */
  readonly queue?: string;
  /**
   * Calls of a task with the same key are the same call, which is stored once.
   * @default each call is stored
   */
  readonly key?: string;
  /**
   * If it has not begun after this time, it is cancelled. It must be longer than `delay`.
   * @default that of the task
   */
  readonly expires?: Duration;
  /**
   * A client of the store's own database with an open transaction: the task is stored if and when that commits.
   * @default a transaction of its own
   */
  readonly tx?: unknown;
}

/** When and how the tasks of one `enqueueMany` run. */
export interface EnqueueManyOptions<In> extends Omit<EnqueueOptions, "key"> {
  /**
   * The key of each call, from its input and its position from 0.
   * @default each call is stored
   */
  readonly key?: (input: In, index: number) => string;
}

/** When and how a flow begins. */
export interface FlowOptions extends Pick<EnqueueOptions, "delay" | "at" | "tx"> {
  /**
   * Calls of a flow with the same key are the same flow, which is stored once.
   * @default each call is stored
   */
  readonly key?: string;
}

/** The arguments of `enqueue`: the input may be left out where the task takes none. */
export type InputArguments<In, Options> = unknown extends In
  ? [input?: In, options?: Options]
  : // biome-ignore lint/suspicious/noConfusingVoidType: a handler that takes nothing
    [In] extends [undefined | void]
    ? [input?: In, options?: Options]
    : [input: In, options?: Options];

/** When and how a task runs in a flow. Its delay counts from the end of what comes before. */
export type LinkOptions = Pick<EnqueueOptions, "delay" | "priority" | "queue" | "expires">;

/** A function in `maps` with a second argument gets it from the option `with` of the link. */
type ViaOptions<F> = F extends (previous: never, ...rest: infer Rest) => unknown
  ? Rest extends [infer Argument]
    ? [options: LinkOptions & { readonly with: Argument }]
    : [options?: LinkOptions]
  : never;

/** A function whose calls are stored before they run. It takes `In` and returns `Out`; `M` are its `maps`. */
export interface Task<In, Out, M = Record<never, never>> extends Link<In, Stored<Out>> {
  /** Its name in the store. */
  readonly name: string;
  /** Its options, checked: for workers. */
  readonly definition: Definition;
  /**
   * Stores one call. It is durable when this resolves. In a handler it goes to the store of its worker, otherwise to that of the
   * program (see `useStore`).
   *
   * @throws PawlError `task.input` where the schema refuses the input, `task.not-json` and `task.too-large` where it cannot be
   *   stored, `task.option`, `task.delay`, `task.at`, `task.key`, `task.queue`, `task.number` and `task.expires` for options that
   *   are not right, `task.unique` where the task that has its unique key did not end in time
   * @throws TransientError when the store cannot be written just now
   * @example
   * ```ts
   * const greet = task({ name: "greet" }, (name: string) => `Hello, ${name}`);
   * const handle = await greet.enqueue("Ada", { delay: "10s", key: "ada" });
   * console.log(await handle.result({ timeout: "1m" }));
   * ```
   */
  enqueue(...args: InputArguments<In, EnqueueOptions>): Promise<TaskHandle<Stored<Out>>>;
  /**
   * Stores a call for each input as it is read, up to 2,000 in one transaction.
   *
   * @returns how many inputs there were, and how many of their calls are new in the store
   * @throws PawlError as `enqueue`, and `task.inputs` for what cannot be iterated over; earlier transactions stay stored
   */
  enqueueMany(
    inputs: Iterable<In> | AsyncIterable<In>,
    options?: EnqueueManyOptions<In>,
  ): Promise<{ count: number; created: number }>;
  /**
   * Its place in a flow, with an input of its own in place of the result before it.
   *
   * @throws PawlError `task.not-json` or `task.too-large` for the input, `task.unique-link` for a task that is unique
   */
  with(input: In, options?: LinkOptions): Link<unknown, Stored<Out>>;
  /**
   * Its place in a flow, with the input that the function of this name in `maps` makes from the result before it.
   *
   * @throws PawlError `task.via` where `maps` has no such function
   */
  via<K extends keyof M & string>(
    name: K,
    ...options: ViaOptions<M[K]>
  ): Link<M[K] extends (previous: infer P, ...rest: never[]) => unknown ? P : never, Stored<Out>>;
}

// biome-ignore lint/suspicious/noExplicitAny: what holds for tasks of every kind
export type Anything = any;

/** A task of any input and result, for lists of them. */
export type AnyTask = Task<Anything, Anything, Anything>;

/** Links put together by `chain`, `group` or `chord`. It is a link itself, so flows can be nested. */
export interface Flow<In, Out> extends Link<In, Out> {
  /**
   * Stores the flow, with the input of its first link. The handle is that of its last task.
   *
   * @throws PawlError as `enqueue` of a task, `flow.key` where another flow has the key, `flow.spent` where the members of a group
   *   were read before
   */
  enqueue(...args: InputArguments<In, FlowOptions>): Promise<TaskHandle<Out>>;
}

export type AnyFlow = Flow<Anything, Anything>;
