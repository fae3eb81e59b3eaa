import { availableParallelism } from "node:os";
import { quoted, shown, unknownOption } from "../arguments.ts";
import { type Duration, milliseconds, optionalMilliseconds } from "../durations.ts";
import { PawlError } from "../errors.ts";
import { bytes, type Size, sizeText } from "../sizes.ts";
import type { Isolation } from "./transfer/cloneable.ts";

/** How a pool makes its workers. */
export interface PoolOptions<Init = unknown> {
  /**
   * Workers at most. They start when they are needed.
   * @default one for each core
   */
  readonly workers?: number;
  /**
   * `thread`: starts fast and can share memory. `process`: a crash or a leak is its own, and native code can be ended too.
   * @default "thread"
   */
  readonly isolate?: Isolation;
  /**
   * Runs once in each worker; what it returns reaches every call as `context.init`.
   * @default nothing runs, and `context.init` is undefined
   */
  readonly init?: (argument: never) => Init | Promise<Init>;
  /**
   * What `init` is given: plain data.
   * @default undefined
   */
  readonly initArgument?: unknown;
  /**
   * A worker is replaced after so many items.
   * @default Infinity
   */
  readonly maxTasksPerWorker?: number;
  /**
   * A worker that uses more is replaced between two items. A process: all its memory; a thread: its heap.
   * @default no limit
   */
  readonly maxMemoryPerWorker?: Size;
  /**
   * The JavaScript heap at which a worker dies, whatever it does; at least 16 MB. A promise only with `isolate: "process"`: a
   * thread whose heap is full can end the whole program, which is a fault of Node.
   * @default what Node gives it, gigabytes
   */
  readonly maxHeapPerWorker?: Size;
  /**
   * The part of the heap in which a worker makes new objects. Where most of them live for a moment only, as when lines are parsed, a
   * small one of 8 to 16 MB takes less memory and no more time.
   * @default what Node gives it, up to 100 MB and more
   */
  readonly youngHeapPerWorker?: Size;
  /**
   * A worker with nothing to do ends after this time.
   * @default "10s"
   */
  readonly idle?: Duration;
  /**
   * How long a worker may take to start and run `init`, and to load a function. Calls then fail with the error
   * `pool.start-timeout`.
   * @default no limit, since a model may take its time
   */
  readonly startTimeout?: Duration;
}

/** What holds for each item of a call. */
export interface CallOptions {
  /**
   * How long one item may run, counted from its own start: a hard limit, or a soft and a hard one.
   * @default no limit
   */
  readonly timeout?: Duration | TimeLimit;
  /**
   * How often an item that killed its worker is given to another.
   * @default 0
   */
  readonly crashRetries?: number;
}

/** What holds for a call over many items. */
export interface MapOptions extends CallOptions {
  /**
   * Items that a worker is sent together.
   * @default measured as it runs: about 10 ms of work, fewer towards the end
   */
  readonly chunkSize?: number;
  /**
   * Stops the call: items that wait are not begun, those that run are told by their signal.
   * @default nothing but an error stops it
   */
  readonly signal?: AbortSignal;
}

/** How long an item may run. */
export interface TimeLimit {
  /**
   * Time of execution after which the item's signal aborts; it may then end by itself.
   * @default none: its signal aborts only where the call is cancelled
   */
  readonly soft?: Duration;
  /** Time of execution after which its worker is ended and replaced. */
  readonly hard: Duration;
}

/** A time limit as the pool keeps it, in milliseconds. */
export interface LimitMs {
  readonly soft?: number;
  readonly hard: number;
}

/** What becomes of errors of items: the first ends the call, or each is told where its item's result would be. */
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

/** The options of a pool as it uses them. */
export interface PoolSettings {
  readonly workers: number;
  readonly isolation: Isolation;
  readonly maxTasks: number;
  /** Bytes; null for no limit. */
  readonly maxMemory: number | null;
  /** Bytes; null for what Node gives. */
  readonly maxHeap: number | null;
  /** Bytes; null for what Node gives. */
  readonly youngHeap: number | null;
  readonly idleMs: number;
  readonly startTimeoutMs: number;
}

const POOL_OPTIONS = [
  "workers",
  "isolate",
  "init",
  "initArgument",
  "maxTasksPerWorker",
  "maxMemoryPerWorker",
  "maxHeapPerWorker",
  "youngHeapPerWorker",
  "idle",
  "startTimeout",
];

const IDLE_MS = 10_000;

/** Node starts no worker with less. */
const LEAST_HEAP_BYTES = 16 * 1024 * 1024;
/** With less, a worker would do little but collect garbage. */
const LEAST_YOUNG_BYTES = 2 * 1024 * 1024;

/** The options of a pool with their defaults. Throws a PawlError that names the option which cannot be. */
export function poolSettings<Init>(options: PoolOptions<Init>): PoolSettings {
  checkOptions(options, "a pool", POOL_OPTIONS);
  const { workers = availableParallelism(), isolate, maxTasksPerWorker, idle = IDLE_MS } = options;
  if (!Number.isInteger(workers) || workers < 1)
    throw new PawlError("pool.workers", "A pool needs a whole number of workers, at least 1.");
  const { maxMemoryPerWorker, maxHeapPerWorker, youngHeapPerWorker, startTimeout } = options;
  return {
    workers,
    isolation: isolationFrom(isolate),
    maxTasks: countFrom(maxTasksPerWorker, "maxTasksPerWorker", Number.POSITIVE_INFINITY),
    maxMemory: memoryFrom(maxMemoryPerWorker),
    maxHeap: heapFrom(maxHeapPerWorker, "maxHeapPerWorker"),
    youngHeap: youngHeapFrom(youngHeapPerWorker),
    idleMs: milliseconds(idle, "The option idle"),
    startTimeoutMs: startTimeoutFrom(startTimeout),
  };
}

/** Throws a PawlError that names the option of a call over many items which cannot be. */
export function checkMapOptions({ chunkSize, crashRetries = 0, signal }: MapOptions): void {
  if (signal !== undefined && !isSignal(signal)) refuse("signal", "an AbortSignal", signal);
  countFrom(chunkSize ?? undefined, "chunkSize", 1);
  if (!Number.isInteger(crashRetries) || crashRetries < 0)
    refuse("crashRetries", "a whole number, at least 0", crashRetries);
}

/** Whether errors are collected. Throws PawlError("pool.option") for what means neither. */
export function collects(errors: unknown): boolean {
  if (errors === undefined || errors === "throw") return false;
  return errors === "collect" || refuse("errors", '"throw" or "collect"', errors);
}

/** Throws PawlError("pool.option") for options that are not an object, and for one that would be dropped without a word. */
export function checkOptions(options: unknown, what: string, known: readonly string[]): void {
  if (typeof options !== "object" || options === null)
    throw new PawlError("pool.option", `The options of ${what} must be an object, not ${shown(options)}.`);
  const name = unknownOption(options, known);
  if (name === null) return;
  throw new PawlError(
    "pool.option",
    `There is no option ${JSON.stringify(name)} of ${what}: there are ${known.join(", ")}.`,
  );
}

/** Throws PawlError("pool.option"), which says what an option must be. */
export function refuse(name: string, wanted: string, given: unknown): never {
  throw new PawlError("pool.option", `The option ${name} must be ${wanted}, not ${quoted(given)}.`);
}

export function isolationFrom(isolate: Isolation = "thread"): Isolation {
  return isolate === "thread" || isolate === "process"
    ? isolate
    : refuse("isolate", '"thread" or "process"', isolate);
}

/** A whole number of at least 1, or Infinity. */
export function countFrom(given: number | undefined, name: string, fallback: number): number {
  const count = given ?? fallback;
  if ((Number.isInteger(count) || count === Number.POSITIVE_INFINITY) && count >= 1) return count;
  return refuse(name, "a whole number, at least 1", given);
}

/** Bytes of a heap; null for what Node gives. */
export function heapFrom(given: Size | undefined, name: string): number | null {
  if (given === undefined) return null;
  const heap = bytes(given, `The option ${name}`);
  if (heap >= LEAST_HEAP_BYTES) return heap;
  return refuse(name, `at least ${sizeText(LEAST_HEAP_BYTES)}, without which a worker does not start`, given);
}

function youngHeapFrom(given: Size | undefined): number | null {
  if (given === undefined) return null;
  const heap = bytes(given, "The option youngHeapPerWorker");
  return heap >= LEAST_YOUNG_BYTES
    ? heap
    : refuse("youngHeapPerWorker", `at least ${sizeText(LEAST_YOUNG_BYTES)}`, given);
}

function memoryFrom(given: Size | undefined): number | null {
  if (given === undefined) return null;
  const memory = bytes(given, "The option maxMemoryPerWorker");
  return memory > 0 ? memory : refuse("maxMemoryPerWorker", "more than 0 bytes", given);
}

/** Infinity where there is none. */
export function startTimeoutFrom(given: Duration | undefined): number {
  return optionalMilliseconds(given, "The option startTimeout") ?? Number.POSITIVE_INFINITY;
}

/** A time limit, which from JavaScript may be anything. Throws a PawlError for one that cannot be. */
export function limitFrom(timeout: Duration | TimeLimit | undefined): LimitMs | null {
  if (timeout === undefined) return null;
  if (typeof timeout !== "object" || timeout === null)
    return { hard: milliseconds(timeout, "The option timeout") };
  checkOptions(timeout, "a timeout", ["soft", "hard"]);
  const soft = optionalMilliseconds(timeout.soft, "The option timeout.soft");
  const hard = milliseconds(timeout.hard, "The option timeout.hard");
  if (soft === undefined) return { hard };
  if (soft > hard)
    refuse("timeout.soft", `at most timeout.hard (${hard}), without which it would have no effect`, soft);
  return { soft, hard };
}

/** Signals of other realms too. */
function isSignal(value: unknown): boolean {
  const { throwIfAborted, addEventListener } = Object(value);
  return typeof throwIfAborted === "function" && typeof addEventListener === "function";
}
