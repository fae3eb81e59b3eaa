import { types } from "node:util";
import { assertObject, assertOptions, type OptionNames } from "../../arguments.ts";
import { type Duration, milliseconds } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { isPlainObject } from "../../plain-object.ts";
import { bytes, type Size } from "../../sizes.ts";
import type { Sink, Source, Throttle } from "../contract.ts";
import { assertLimits } from "./work-limits.ts";

/** What a transform is given beside its item. */
export interface TransformContext {
  /** Aborts when the result is no longer needed: the run stops, or this attempt of the chunk has failed. */
  readonly signal: AbortSignal;
}

/** What a transform may return: an item, several, or none (the item is counted as skipped). */
export type TransformResult<U> = U | readonly U[] | null | undefined;

/** A definition of a batch: where items come from, what is done to each, where the results go. */
export interface Job<T, U = T> {
  /** What people call it, in lists and messages. */
  readonly name: string;
  /** Where items come from, such as `csv()` of `pawl/connect/csv`. */
  readonly source: Source<T>;
  /**
   * Called once for each item, in order within a shard. Throw an ItemError to quarantine the item; other errors
   * quarantine it too, with their message. After a TransientError, or a system error such as a reset connection, it is
   * called again with that item; what it returned for others is kept. Where that error has `retryAfter`, or a response with
   * the header `retry-after` as its cause, the call waits for that, at most 15 minutes. Calls that wait run side by side, `concurrency`
   * of them; results keep the order of the items. A transform that computes for long runs in several threads, as many as
   * there are cores and `memory` allows, if a thread can load the function: one made with `callable` of `pawl/pool`, or
   * an inline one that uses nothing from outside. Each thread keeps its own copy of what the function keeps between items.
   * @default items go to the sink as the source gives them
   */
  transform?(item: T, context: TransformContext): TransformResult<U> | Promise<TransformResult<U>>;
  /**
   * What tells this version of the transform, or of what the sink does to each item, from other versions. When an
   * interrupted run continues with another version, a note says so.
   * @default the text of the function
   */
  readonly transformText?: string;
  /** Where items go to, such as `postgres()` of `pawl/connect/postgres`. */
  readonly sink: Sink<U>;
  /**
   * Two runs with one key are the same work, of which one at a time may be unfinished.
   * @default the name and the parameters
   */
  readonly key?: string;
  /**
   * Quarantined items that the run may have: a number, or a share such as `"1%"`. With one more it stops, and can be
   * resumed. A share is judged from 1,000 items on while the total is unknown.
   * @default 1_000
   */
  readonly maxQuarantined?: number | `${number}%`;
  /**
   * Items at once in one process: calls of a transform that wait, and what a sink that does many things at once, such
   * as a copy, has under way.
   * @default 32 for a transform; such a sink finds the number by measuring
   */
  readonly concurrency?: number;
  /**
   * Shards at once in one process. A sink has a connection for each.
   * @default the number of cores, at most 4
   */
  readonly shards?: number;
  /**
   * Items a second at most, for a sink that does many things at once.
   * @default Infinity
   */
  readonly rate?: number;
  /**
   * Bytes a second at most, for such a sink: `"10MB"`, or bytes as a number.
   * @default Infinity
   */
  readonly bandwidth?: Size;
  /**
   * Memory that the process may use: `"512MB"`, or bytes as a number; at least 128 MB.
   * @default "256MB"
   */
  readonly memory?: Size;
  /**
   * How long one chunk should take to be read, go through the transform and be written; chunks grow and shrink towards it.
   * @default "250ms"; "200ms" where rows of a table in use are changed, "3s" for copies
   */
  readonly commitTime?: Duration;
  /**
   * Bounds of the size of a chunk, in bytes of the source.
   * @default "64KB" to what `memory` allows, at most "8MB"
   */
  readonly chunkSize?: { readonly min?: Size; readonly max?: Size };
  /**
   * How long a shard, or an item in its transform, is tried again while nothing succeeds. Each commit of the shard, and
   * each item that succeeds, begins that time again. After a time that a server asked for (Retry-After) there is one more try.
   * @default "90s"
   */
  readonly patience?: Duration;
  /**
   * Asked before each chunk; while one of them gives a reason, the run waits and shows it.
   * @default []
   */
  readonly throttle?: readonly Throttle[];
  /**
   * Accept that items may be written again after a crash, for a sink that can neither commit nor repeat.
   * @default false
   */
  readonly atLeastOnce?: boolean;
  /**
   * The source gives only some of the items: those that it does not give are not missing. See `SinkContext.partial`.
   * @default false
   */
  readonly partial?: boolean;
  /** Set by Pawl where the job is a replay: the numbers of the quarantined items that the run `replay` has corrected. @default none */
  corrected?(replay: string): Promise<readonly number[]>;
}

/** A job of any item types, as the engine handles it. */
export type AnyJob = Job<unknown, unknown>;

const OPTIONS: OptionNames<AnyJob> = {
  name: true,
  source: true,
  transform: true,
  transformText: true,
  sink: true,
  key: true,
  maxQuarantined: true,
  concurrency: true,
  shards: true,
  rate: true,
  bandwidth: true,
  memory: true,
  commitTime: true,
  chunkSize: true,
  patience: true,
  throttle: true,
  atLeastOnce: true,
  partial: true,
  corrected: true,
};

/**
 * Defines a batch, and checks its options. The result can be run from code with `run(job)`, or, as the default export of
 * a module, with `pawl run module.ts`; a module may also export a function from parameters to a job.
 *
 * @throws PawlError `job.no-name`, `job.key`; `job.transform` for a generator function; `job.shards`, `job.concurrency` and
 * `job.rate` for what is not such a number; `job.option` for a zero; `argument.duration` and `argument.size` for what is
 * not a duration or a size
 * @example
 * ```ts
 * import { defineJob, type Sink, type Source } from "pawl/batch";
 *
 * export const lengths = (words: Source<string>, target: Sink<number>) =>
 *   defineJob({
 *     name: "lengths",
 *     source: words,
 *     transform: (word) => word.length,
 *     sink: target,
 *     memory: "512MB",
 *     patience: "5m",
 *   });
 * ```
 */
export function defineJob<T, U = T>(job: Job<T, U>): Job<T, U> {
  assertObject(job, "A job");
  // An instance of a class may have more than the options: its transform may use it.
  if (isPlainObject(job)) assertOptions(job, OPTIONS, "defineJob");
  if (job.chunkSize !== undefined)
    assertOptions(job.chunkSize, { min: true, max: true }, "the chunkSize of a job");
  if (!job.name) throw new PawlError("job.no-name", "A job needs a name: defineJob({ name: 'people', … }).");
  const what = `Job ${job.name}`;
  if (job.shards !== undefined && !(Number.isInteger(job.shards) && job.shards >= 1)) {
    throw new PawlError("job.shards", `${what}: shards must be a whole number of at least 1.`);
  }
  if (types.isGeneratorFunction(job.transform)) {
    throw new PawlError(
      "job.transform",
      `${what}: the transform is a generator function, of which nothing would run: return an array of the items.`,
    );
  }
  if (job.key !== undefined && (typeof job.key !== "string" || job.key === "")) {
    throw new PawlError(
      "job.key",
      `${what}: key must be a text that is not empty: leave it out to go by the name.`,
    );
  }
  assertLimits(job, what);
  const { memory, chunkSize, commitTime, patience } = job;
  assertPositive({ memory, "chunkSize.min": chunkSize?.min, "chunkSize.max": chunkSize?.max }, bytes, what);
  assertPositive({ commitTime, patience }, milliseconds, what);
  return job;
}

/** Nothing could be done within no time, or in no memory. */
function assertPositive<V>(
  options: Readonly<Record<string, V | undefined>>,
  amount: (value: V, what: string) => number,
  what: string,
): void {
  for (const [option, value] of Object.entries(options)) {
    if (value !== undefined && amount(value, `${what}: ${option}`) === 0)
      throw new PawlError("job.option", `${what}: ${option} must be above 0.`);
  }
}

/** What a module given to `pawl run` may export by default: a job, or a function from the parameters of `--param` to one. */
export type JobModule = AnyJob | ((params: Readonly<Record<string, string>>) => AnyJob | Promise<AnyJob>);
