import { unknownOption } from "../arguments.ts";
import { errorText } from "../error-text.ts";
import { PawlError } from "../errors.ts";
import type { TimeLimit } from "./calls/work.ts";
import type { Isolation } from "./transfer/portable.ts";

export interface PoolOptions<Init = unknown> {
  /** Workers at most. Default: one a core. They start when they are needed. */
  readonly workers?: number;
  /**
   * `thread` (the default): starts fast and can share memory. `process`: a crash or a leak is its own, and native code
   * can be ended too.
   */
  readonly isolate?: Isolation;
  /** Runs once in each worker; what it returns reaches every call as `context.init`. */
  readonly init?: (argument: never) => Init | Promise<Init>;
  /** What `init` is given. */
  readonly initArgument?: unknown;
  /** A worker is replaced after so many items. */
  readonly maxTasksPerWorker?: number;
  /** A worker that uses more bytes is replaced between two items. A process: all its memory; a thread: its heap. */
  readonly maxMemoryPerWorker?: number;
  /**
   * Bytes of JavaScript heap at which a worker dies, whatever it does. A promise only with `isolate: "process"`: a thread whose
   * heap is full can end the whole program, which is a fault of Node. At least 16 MB. Default: what Node gives it, gigabytes.
   */
  readonly maxHeapPerWorker?: number;
  /** A worker with nothing to do ends after so many milliseconds. Default 10,000. */
  readonly idle?: number;
  /**
   * Milliseconds for a worker to start and run `init`, and for it to load a function. Calls then fail with the error
   * `pool.start-timeout`. Default: no limit, since a model may take its time.
   */
  readonly startTimeout?: number;
}

export interface CallOptions {
  /** How long one item may run, counted from its own start, in milliseconds or as soft and hard limit. */
  readonly timeout?: number | TimeLimit;
  /** How often an item that killed its worker is given to another. Default 0. */
  readonly crashRetries?: number;
}

export interface MapOptions extends CallOptions {
  /** Items a batch. Default: measured as it runs, about 10 ms of work, fewer towards the end. */
  readonly chunkSize?: number;
  /** Stops the call: items that wait are not begun, those that run are told by their signal. */
  readonly signal?: AbortSignal;
}

/**
 * What became of one item when errors are collected: as of Promise.allSettled, and never the value or the error itself.
 * That it has no message says so to the compiler: after `result instanceof Error` there is no result left to read.
 */
export type Settled<T> = { readonly message?: never } & (
  | { readonly status: "fulfilled"; readonly value: T }
  | { readonly status: "rejected"; readonly reason: unknown }
);

/** What becomes of errors of items: the first ends the call, or each is told in its item's place. */
export interface Collecting {
  readonly errors: "collect";
}

/** What a function of a pool may take after its arguments, if it has a parameter left for it. */
export interface ItemContext<Init = unknown> {
  /** Which item of its call this is, from 0. */
  readonly index: number;
  /** Aborts when the call is cancelled or the item's time is over. */
  readonly signal: AbortSignal;
  /** What `init` returned in this worker. */
  readonly init: Init;
}

/** Those options of a pool that can be wrong though they have their type. */
interface PoolLimits {
  readonly workers?: number;
  readonly isolate?: string;
  readonly maxTasksPerWorker?: number;
  readonly maxMemoryPerWorker?: number;
  readonly maxHeapPerWorker?: number;
  readonly idle?: number;
  readonly startTimeout?: number;
}

const POOL_OPTIONS = [
  "workers",
  "isolate",
  "init",
  "initArgument",
  "maxTasksPerWorker",
  "maxMemoryPerWorker",
  "maxHeapPerWorker",
  "idle",
  "startTimeout",
];

/** Node starts no worker with less. */
export const LEAST_HEAP_BYTES = 16 * 1024 * 1024;

interface CallLimits {
  readonly chunkSize?: number;
  readonly crashRetries?: number;
  readonly signal?: unknown;
}

/** Those of other realms too. */
function isSignal(value: unknown): boolean {
  const { throwIfAborted, addEventListener } = Object(value);
  return typeof throwIfAborted === "function" && typeof addEventListener === "function";
}

type Kind = "count" | "number" | "milliseconds" | "bytes" | "heap";

const accepted: Readonly<Record<Kind, { readonly words: string; is(value: number): boolean }>> = {
  count: {
    words: "a whole number, at least 1",
    is: (value) => (Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= 1,
  },
  number: { words: "a whole number, at least 0", is: (value) => Number.isInteger(value) && value >= 0 },
  milliseconds: { words: "milliseconds, at least 0", is: (value) => value >= 0 },
  bytes: { words: "bytes, more than 0", is: (value) => value > 0 },
  heap: {
    words: `bytes, at least ${LEAST_HEAP_BYTES} (16 MB), without which a worker does not start`,
    is: (value) => value >= LEAST_HEAP_BYTES,
  },
};

function check(name: string, value: unknown, kind: Kind): void {
  if (value === undefined) return;
  if (typeof value === "number" && accepted[kind].is(value)) return;
  throw new PawlError(
    "pool.option",
    `The option ${name} must be ${accepted[kind].words}, not ${shown(value)}.`,
  );
}

/** A value in a few words, whatever it is: `String` and `JSON.stringify` throw for some. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : errorText(value, 60);
}

/** Throws a PawlError `pool.option` for options that are null or not an object, and for one that would be dropped without a word. */
export function checkOptions(options: unknown, what: string, known: readonly string[]): void {
  if (typeof options !== "object" || options === null)
    throw new PawlError("pool.option", `The options of ${what} must be an object, not ${shown(options)}.`);
  const name = unknownOption(options, known);
  if (name !== null)
    throw new PawlError(
      "pool.option",
      `There is no option ${shown(name)} of ${what}: there are ${known.join(", ")}.`,
    );
}

/** Throws a PawlError `pool.option` that names the option which cannot be. */
export function checkPoolOptions(options: PoolLimits): void {
  checkOptions(options, "a pool", POOL_OPTIONS);
  const { workers, isolate } = options;
  if (workers !== undefined && (!Number.isInteger(workers) || workers < 1)) {
    throw new PawlError("pool.workers", "A pool needs a whole number of workers, at least 1.");
  }
  if (isolate !== undefined && isolate !== "thread" && isolate !== "process") {
    throw new PawlError(
      "pool.option",
      `The option isolate must be "thread" or "process", not ${shown(isolate)}.`,
    );
  }
  check("maxTasksPerWorker", options.maxTasksPerWorker, "count");
  check("maxMemoryPerWorker", options.maxMemoryPerWorker, "bytes");
  check("maxHeapPerWorker", options.maxHeapPerWorker, "heap");
  check("idle", options.idle, "milliseconds");
  check("startTimeout", options.startTimeout, "milliseconds");
}

/** Whether errors are collected. Throws PawlError("pool.option") for what means neither. */
export function collects(errors: unknown): boolean {
  if (errors === undefined || errors === "throw") return false;
  if (errors === "collect") return true;
  throw new PawlError("pool.option", `The option errors must be "throw" or "collect", not ${shown(errors)}.`);
}

/** Throws PawlError("pool.option") for a time that is none, such as NaN. Infinity is for ever. */
export function checkTimeout(timeout: number | undefined): void {
  check("timeout", timeout, "milliseconds");
}

/** Throws PawlError("pool.option") for what nothing is waited for by. */
export function checkUntil(until: unknown): void {
  if (until === "all" || until === "first" || until === "firstError") return;
  throw new PawlError(
    "pool.option",
    `The option until must be "all", "first" or "firstError", not ${shown(until)}.`,
  );
}

/** The same for the options of a call. */
export function checkMapOptions({ chunkSize, crashRetries, signal }: CallLimits): void {
  if (signal !== undefined && !isSignal(signal))
    throw new PawlError("pool.option", `The option signal must be an AbortSignal, not ${shown(signal)}.`);
  check("chunkSize", chunkSize ?? undefined, "count");
  check("crashRetries", crashRetries, "number");
}

/** The same for its time limit, which from JavaScript may be anything. */
export function limitFrom(timeout: unknown): TimeLimit | null {
  if (timeout === undefined) return null;
  if (typeof timeout !== "object" || timeout === null) {
    check("timeout", timeout, "milliseconds");
    return { hard: timeout as number };
  }
  const { soft, hard } = timeout as Partial<TimeLimit>;
  check("timeout.soft", soft, "milliseconds");
  check("timeout.hard", hard ?? null, "milliseconds");
  checkOptions(timeout, "a timeout", ["soft", "hard"]);
  if (soft !== undefined && soft > (hard as number))
    throw new PawlError(
      "pool.option",
      `The option timeout.soft must be at most timeout.hard (${hard}), not ${soft}: nothing would come of it.`,
    );
  return timeout as TimeLimit;
}
