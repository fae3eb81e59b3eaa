import type { Duration } from "../../durations.ts";
import type { Size } from "../../sizes.ts";
import {
  checkOptions,
  countFrom,
  heapFrom,
  isolationFrom,
  limitFrom,
  refuse,
  startTimeoutFrom,
  type TimeLimit,
} from "../options.ts";
import type { Isolation } from "../transfer/cloneable.ts";

/** How an actor is made and kept. */
export interface ActorOptions {
  /**
   * `thread`: starts fast and can share memory. `process`: a crash is its own, and native code can be ended too.
   * @default "thread"
   */
  readonly isolate?: Isolation;
  /**
   * How often the actor is started again after its worker has died; `Infinity` for ever.
   * @default 0
   */
  readonly maxRestarts?: number;
  /**
   * How many calls may run at once; only async methods can. With 1, a call begins when the one before has ended.
   * @default 1
   */
  readonly concurrency?: number;
  /**
   * How many calls may be without a result; the next ones fail with `pool.actor-busy`.
   * @default 100_000
   */
  readonly maxPending?: number;
  /**
   * How long a call may run, unless it says otherwise itself: a hard limit, or a soft and a hard one.
   * @default no limit
   */
  readonly timeout?: Duration | TimeLimit;
  /**
   * Of a class with `save` and `restore`: after how many calls its state is saved.
   * @default 1
   */
  readonly saveEvery?: number;
  /**
   * The JavaScript heap at which the worker dies; at least 16 MB. A promise only with `isolate: "process"`: a thread whose
   * heap is full can end the whole program, which is a fault of Node.
   * @default what Node gives it, gigabytes
   */
  readonly maxHeap?: Size;
  /**
   * How long the worker may take to start and make the object; then it is ended.
   * @default no limit
   */
  readonly startTimeout?: Duration;
}

/** The same for several actors behind one handle. */
export interface ReplicaOptions extends ActorOptions {
  /**
   * Which replica gets the next call: the one whose turn it is (`roundRobin`), or the one with the fewest calls under way
   * (`leastBusy`).
   * @default "roundRobin"
   */
  readonly route?: "roundRobin" | "leastBusy";
}

/** What holds for a call of an actor. */
export interface ActorCallOptions {
  /**
   * How long the call may run, counted from its own start: a hard limit, or a soft and a hard one.
   * @default the timeout of the actor
   */
  readonly timeout?: Duration | TimeLimit;
  /**
   * Withdraws the call while it waits; one that runs is told by its `callSignal()`.
   * @default the call cannot be withdrawn
   */
  readonly signal?: AbortSignal;
}

/** The options of an actor as it uses them. */
export interface ActorSettings {
  readonly isolation: Isolation;
  readonly maxRestarts: number;
  readonly concurrency: number;
  readonly maxPending: number;
  readonly timeout: Duration | TimeLimit | undefined;
  readonly saveEvery: number;
  /** Bytes; null for what Node gives. */
  readonly maxHeap: number | null;
  readonly startTimeoutMs: number;
  readonly route: "roundRobin" | "leastBusy";
}

const OPTIONS = [
  "isolate",
  "maxRestarts",
  "concurrency",
  "maxPending",
  "timeout",
  "saveEvery",
  "maxHeap",
  "startTimeout",
  "route",
];

/** The options of an actor with their defaults. Throws a PawlError that names the option which cannot be. */
export function actorSettings(options: ReplicaOptions): ActorSettings {
  checkOptions(options, "an actor", OPTIONS);
  const { isolate, maxRestarts = 0, timeout, maxHeap, startTimeout, route = "roundRobin" } = options;
  if (!(Number.isInteger(maxRestarts) || maxRestarts === Number.POSITIVE_INFINITY) || maxRestarts < 0)
    refuse("maxRestarts", "a whole number, at least 0, or Infinity", maxRestarts);
  if (route !== "roundRobin" && route !== "leastBusy") refuse("route", '"roundRobin" or "leastBusy"', route);
  limitFrom(timeout);
  return {
    isolation: isolationFrom(isolate),
    maxRestarts,
    concurrency: countFrom(options.concurrency, "concurrency", 1),
    maxPending: countFrom(options.maxPending, "maxPending", 100_000),
    timeout,
    saveEvery: countFrom(options.saveEvery, "saveEvery", 1),
    maxHeap: heapFrom(maxHeap, "maxHeap"),
    startTimeoutMs: startTimeoutFrom(startTimeout),
    route,
  };
}
