import type { TimeLimit } from "./call.ts";
import type { Isolation } from "./portable.ts";

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
