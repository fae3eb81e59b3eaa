import { inspect, types } from "node:util";
import { assertObject } from "../../arguments.ts";
import { canonicalJson } from "../../canonical-json.ts";
import { PawlError } from "../../errors.ts";
import type { Json } from "../../store/contract.ts";
import type { Sink, Source } from "../contract.ts";
import type { Throttle } from "./throttle.ts";

/** What a transform is given beside its item. */
export interface TransformContext {
  /** Aborted when nobody waits for the result any more: the run stops, or its chunk is given up. */
  readonly signal: AbortSignal;
}

/** What a transform may return: an item, several, or none (the item is counted as skipped). */
export type TransformResult<U> = U | readonly U[] | null | undefined;

/** A definition of a batch: where items come from, what is done to each, where the results go. */
export interface Job<T, U = T> {
  readonly name: string;
  readonly source: Source<T>;
  /**
   * Called once for each item, in order within a shard. Throw an ItemError to quarantine the item; other errors
   * quarantine it too, with their message. After a TransientError, or a system error such as a reset connection, it is
   * called again with that item; what it returned for others is kept. Calls that wait are under way side by side, `atOnce`
   * of them; results keep the order of the items. A transform that computes for long runs in several threads, as many as there
   * are cores and `memory` allows, where the function can reach them: one made with `callable` of `pawl/pool`, or an
   * inline one that uses nothing from outside. What it keeps between items it keeps in each worker.
   */
  transform?(item: T, context: TransformContext): TransformResult<U> | Promise<TransformResult<U>>;
  /**
   * What tells the transform, or what the sink does to each item, from other versions of it: an interrupted run that goes on with another one says so.
   * @default the text of the function
   */
  readonly transformText?: string;
  readonly sink: Sink<U>;
  /** Two runs with one key are the same work, of which one at a time may be unfinished. Default: the name. */
  readonly key?: string;
  /** Stop the run when more items than this are quarantined: a number, or a share such as `1%`. Default 1000. */
  readonly maxBad?: number | `${number}%`;
  /** Shards at work at once in one process. Default: the number of cores, at most 4. */
  readonly concurrency?: number;
  /**
   * Items under way at once: of a transform that waits (default 32), and of a sink that can do many (by default it finds
   * its own level).
   */
  readonly atOnce?: number;
  /** Items a second at most, for such a sink. */
  readonly rate?: number;
  /** Bytes a second at most, for such a sink. */
  readonly bandwidth?: number;
  /** Bytes of memory the process may use. Default 256 MB, at least 128 MB. */
  readonly memory?: number;
  /**
   * How long one chunk should take to be read, go through the transform and be written, in milliseconds; chunks grow and
   * shrink towards it. Default 250, and 200 where rows of a live table are changed.
   */
  readonly commitMs?: number;
  /** Bounds of the chunk size in source bytes. */
  readonly chunkBytes?: { readonly min?: number; readonly max?: number };
  /** How long a shard keeps trying while nothing succeeds, in milliseconds. Default 90,000. */
  readonly patienceMs?: number;
  /** Asked before each chunk; while any gives a reason, the run waits and shows it. */
  readonly throttle?: readonly Throttle[];
  /** Accept that items may be written again after a crash, for a sink that can neither commit nor repeat. */
  readonly atLeastOnce?: boolean;
  /** See `SinkContext.partial`. */
  readonly partial?: boolean;
  /** Of a replay: the numbers of the quarantined items that the run `replay` has corrected. See `replayJob`. */
  corrected?(replay: string): Promise<readonly number[]>;
}

/** A job of any item types, as the engine handles it. */
export type AnyJob = Job<unknown, unknown>;

/**
 * Defines a batch. The result can be run from code with `run(job)`, or, as the default export of a module, with
 * `pawl run module.ts`; a module may also export a function from parameters to a job.
 */
export function defineJob<T, U = T>(job: Job<T, U>): Job<T, U> {
  assertObject(job, "A job");
  if (!job.name) throw new PawlError("job.no-name", "A job needs a name: defineJob({ name: 'people', … }).");
  if (job.concurrency !== undefined && !(Number.isInteger(job.concurrency) && job.concurrency >= 1)) {
    throw new PawlError(
      "job.concurrency",
      `Job ${job.name}: concurrency must be a whole number of at least 1.`,
    );
  }
  if (job.atOnce !== undefined && !(Number.isInteger(job.atOnce) && job.atOnce >= 1)) {
    throw new PawlError("job.at-once", `Job ${job.name}: atOnce must be a whole number of at least 1.`);
  }
  if (types.isGeneratorFunction(job.transform)) {
    throw new PawlError(
      "job.transform",
      `Job ${job.name}: the transform is a generator function, of which nothing would run: return an array of the items.`,
    );
  }
  if (job.key !== undefined && (typeof job.key !== "string" || job.key === "")) {
    throw new PawlError(
      "job.key",
      `Job ${job.name}: key must be a text that is not empty: leave it out to go by the name.`,
    );
  }
  assertNumbers(job as AnyJob);
  return job;
}

/** A number that is none would be taken for a bound that nothing ever reaches. */
function assertNumbers(job: AnyJob): void {
  const { memory, commitMs, patienceMs, chunkBytes } = job;
  const options = {
    memory,
    commitMs,
    patienceMs,
    "chunkBytes.min": chunkBytes?.min,
    "chunkBytes.max": chunkBytes?.max,
  };
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || (typeof value === "number" && value > 0)) continue;
    throw new PawlError(
      "job.option",
      `Job ${job.name}: ${option} must be a number above 0, not ${inspect(value)}.`,
    );
  }
}

/** What a module given to `pawl run` may export by default. */
export type JobModule = AnyJob | ((params: Readonly<Record<string, string>>) => AnyJob | Promise<AnyJob>);

/**
 * The work a job is, apart from its tunables: equal keys mean that an unfinished run is to be resumed. Parameters are the same
 * in whatever order they were given.
 */
export function jobKey(job: AnyJob, params: Json): string {
  return job.key ?? `${job.name} ${canonicalJson(params)}`;
}

/** How many items may be quarantined before a run stops. */
export type MaxBad = { readonly count: number } | { readonly share: number; readonly text: string };

/** A share says little about a handful of items; below this many it is not judged while the total is unknown. */
const JUDGE_SHARE_FROM = 1000;

/** Parses `1000`, `0` or `1%`. Throws a PawlError on anything else. */
export function parseMaxBad(value: number | string): MaxBad {
  const text = String(value).trim();
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share && Number(share[1]) <= 100) return { share: Number(share[1]) / 100, text };
  if (/^\d+$/.test(text)) return { count: Number(text) };
  throw new PawlError(
    "job.max-bad",
    `--max-bad takes a number of rows or a share, such as 1000 or 1%, not "${text}".`,
  );
}

/** The sentence that stops the run, or null while the quarantined items are within the bound. */
export function exceeds(
  bound: MaxBad,
  quarantined: number,
  read: number,
  total: number | null,
  unit: string,
): string | null {
  if ("count" in bound) {
    if (quarantined <= bound.count) return null;
    return `${quarantined} ${unit} are quarantined, more than the ${bound.count} that max-bad allows`;
  }
  if (total === null && read < JUDGE_SHARE_FROM) return null;
  if (quarantined <= bound.share * (total ?? read)) return null;
  return `${quarantined} ${unit} are quarantined, more than the ${bound.text} that max-bad allows`;
}
