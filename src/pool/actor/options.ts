import { assertObject, shown, unknownOption } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { TimeLimit } from "../calls/work.ts";
import { LEAST_HEAP_BYTES } from "../options.ts";
import type { Isolation } from "../transfer/portable.ts";

export interface ActorOptions {
  /**
   * `thread` (the default): starts fast and can share memory. `process`: a crash is its own, and native code can be
   * ended too.
   */
  readonly isolate?: Isolation;
  /** How often the actor is started again after its worker has died. Default 0; `Infinity` for ever. */
  readonly maxRestarts?: number;
  /** How many calls may run at once; only async methods can. Default 1: a call begins when the one before has ended. */
  readonly maxConcurrency?: number;
  /** How many calls may be without a result; the next ones fail with `pool.actor-busy`. Default 100,000. */
  readonly maxPending?: number;
  /** How long a call may run, unless it says otherwise itself. */
  readonly timeout?: number | TimeLimit;
  /** Of a class with `save` and `restore`: after how many calls its state is saved. Default 1. */
  readonly saveEvery?: number;
  /**
   * Bytes of heap at most for JavaScript in the worker, which dies when they do not suffice. A promise only with
   * `isolate: "process"`: a thread whose heap is full can end the whole program, which is a fault of Node.
   */
  readonly maxHeap?: number;
  /** Milliseconds for the worker to start and make the object, after which it is ended. Default: no limit. */
  readonly startTimeout?: number;
}

export interface ReplicaOptions extends ActorOptions {
  /**
   * Which replica gets the next call: the one whose turn it is (`roundRobin`, the default), or the one with the fewest
   * calls under way (`leastBusy`).
   */
  readonly route?: "roundRobin" | "leastBusy";
}

/** Options with their defaults. */
export interface ActorPlan {
  readonly isolate: Isolation;
  readonly maxRestarts: number;
  readonly maxConcurrency: number;
  readonly maxPending: number;
  readonly timeout: number | TimeLimit | undefined;
  readonly saveEvery: number;
  readonly maxHeap: number | null;
  readonly startTimeout: number;
  readonly route: "roundRobin" | "leastBusy";
}

const OPTIONS = [
  "isolate",
  "maxRestarts",
  "maxConcurrency",
  "maxPending",
  "timeout",
  "saveEvery",
  "maxHeap",
  "startTimeout",
  "route",
];

/** Throws PawlError("pool.actor-options"). */
export function planOf(options: ReplicaOptions): ActorPlan {
  assertObject(options, "The options of an actor");
  const { isolate = "thread", maxRestarts = 0, timeout, maxHeap = null, route = "roundRobin" } = options;
  const { maxConcurrency = 1, maxPending = 100_000, saveEvery = 1 } = options;
  const { startTimeout = Number.POSITIVE_INFINITY } = options;
  const unknown = unknownOption(options, OPTIONS);
  if (unknown !== null)
    throw new PawlError(
      "pool.actor-options",
      `There is no option ${JSON.stringify(unknown)} of an actor: there are ${OPTIONS.join(", ")}.`,
    );
  if (isolate !== "thread" && isolate !== "process") refuse("isolate", isolate, '"thread" or "process"');
  if (route !== "roundRobin" && route !== "leastBusy") refuse("route", route, '"roundRobin" or "leastBusy"');
  if (!isCount(maxRestarts, 0)) refuse("maxRestarts", maxRestarts, "a whole number, 0 or more, or Infinity");
  for (const [name, value] of Object.entries({ maxConcurrency, maxPending, saveEvery })) {
    if (!isCount(value, 1)) refuse(name, value, "a whole number, 1 or more, or Infinity");
  }
  if (maxHeap !== null && !(maxHeap >= LEAST_HEAP_BYTES))
    refuse("maxHeap", maxHeap, `a number of bytes, at least ${LEAST_HEAP_BYTES} (16 MB)`);
  checkLimit(timeout);
  if (typeof startTimeout !== "number" || !(startTimeout > 0))
    refuse("startTimeout", startTimeout, "a number of milliseconds");
  return {
    isolate,
    maxRestarts,
    maxConcurrency,
    maxPending,
    timeout,
    saveEvery,
    maxHeap,
    route,
    startTimeout,
  };
}

/** Throws PawlError("pool.actor-options"). */
export function checkLimit(timeout: number | TimeLimit | undefined): void {
  if (timeout === undefined) return;
  const { soft = 0, hard } = typeof timeout === "number" ? { hard: timeout } : timeout;
  for (const ms of [soft, hard]) {
    if (typeof ms !== "number" || !(ms >= 0))
      refuse("timeout", ms, "milliseconds, 0 or more, or { soft, hard } of them");
  }
}

function isCount(value: number, least: number): boolean {
  return (Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= least;
}

function refuse(name: string, value: unknown, what: string): never {
  throw new PawlError(
    "pool.actor-options",
    `The option ${name} of an actor is ${what}, and not ${shown(value)}.`,
  );
}
