import { assertObject, assertOptions, type OptionNames, quoted } from "../arguments.ts";
import { PawlError } from "../errors.ts";
import { setOwn } from "../own.ts";
import { DelayedCall } from "./delayed/call.ts";
import { type ComputeOptions, type ComputeProgress, computeCalls } from "./delayed/compute.ts";
import type { Delayed } from "./delayed/delayed.ts";
import { Frame } from "./frame/frame.ts";
import { collectAll } from "./frame/results.ts";
import type { FrameRunOptions } from "./frame/run.ts";
import type { FrameSchema, Row } from "./schema/column-type.ts";

/** What a lazy value gives when it is computed: a delayed call its result, a frame its rows. */
export type Computed<V> =
  V extends Delayed<infer T>
    ? T
    : V extends { readonly " schema"?: infer S extends FrameSchema }
      ? Row<S>[]
      : never;

/** A lazy value, whatever it gives. */
type Lazy = Delayed<unknown> | { readonly " schema"?: FrameSchema };

/** How several results are computed: the options of delayed calls, and those of a run of frames. */
export interface ComputeAllOptions
  extends ComputeOptions,
    Pick<FrameRunOptions, "engine" | "spill" | "spillLimit" | "threads" | "onBadRows"> {}

const NAMES: OptionNames<ComputeAllOptions> = {
  concurrency: true,
  memory: true,
  timeout: true,
  pool: true,
  signal: true,
  onProgress: true,
  engine: true,
  spill: true,
  spillLimit: true,
  threads: true,
  onBadRows: true,
};

/**
 * Several results at once: what they have in common is computed once. Of frames it is what all of them stand on, such as a CSV and its
 * filters, which is read once and kept in files of the run; of Parquet, each result reads only the columns it needs.
 *
 * @throws as `Delayed.compute` and `Frame.collect`; PawlError `argument.object`, and `data.compute-all` for a value that cannot be computed
 * @example
 * ```ts
 * const square = delayed((x: number) => x * x, { name: "square" });
 * const plusOne = delayed((x: number) => x + 1, { name: "plusOne" });
 * const nine = square(3);
 * console.log(await computeAll({ nine, ten: plusOne(nine) })); // { nine: 9, ten: 10 }
 *
 * const sales = fromRows({ user: text(), amount: float64() }, [{ user: "ada", amount: 12 }]);
 * const { users, total } = await computeAll({
 *   users: sales.groupBy("user").agg((c) => ({ sum: c.amount.sum() })),
 *   total: sales.agg((c) => ({ sum: c.amount.sum() })),
 * });
 * console.log(users[0]?.sum, total[0]?.sum); // 12 12
 * ```
 */
export async function computeAll<R extends Readonly<Record<string, Lazy>>>(
  results: R,
  options: ComputeAllOptions = {},
): Promise<{ [K in keyof R]: Computed<R[K]> }> {
  assertObject(results, "What computeAll takes");
  assertOptions(options, NAMES, "computeAll");
  const calls = new Map<string, DelayedCall>();
  const frames = new Map<string, Frame>();
  for (const [name, value] of Object.entries(results) as [string, unknown][]) {
    if (value instanceof DelayedCall) calls.set(name, value);
    else if (value instanceof Frame) frames.set(name, value);
    else
      throw new PawlError(
        "data.compute-all",
        `computeAll takes delayed values and frames by name, but ${quoted(name)} is ${quoted(value)}: give it as it is, without computeAll.`,
      );
  }
  const { onProgress, engine, spill, spillLimit, threads, onBadRows, ...both } = options;
  const progress = new Progress(calls.size, frames.size, onProgress);
  const { memory } = both;
  const stop = new AbortController();
  const signal = both.signal === undefined ? stop.signal : AbortSignal.any([both.signal, stop.signal]);
  const ofFrames: FrameRunOptions = present({
    memory,
    signal,
    engine,
    spill,
    spillLimit,
    threads,
    onBadRows,
  });
  // What fails ends the other, which is waited for.
  const ending = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const works = [
    calls.size === 0
      ? []
      : ending(computeCalls([...calls.values()], { ...both, signal, ...progress.ofCalls() })),
    frames.size === 0
      ? []
      : ending(
          collectAll(
            [...frames.values()].map(({ plan }) => plan),
            ofFrames,
            () => progress.frameDone(),
          ),
        ),
  ] as const;
  await Promise.allSettled(works);
  const [callValues, frameRows] = await Promise.all(works);
  const values = new Map<string, unknown>([
    ...[...calls.keys()].map((name, index) => [name, callValues[index]] as const),
    ...[...frames.keys()].map((name, index) => [name, frameRows[index]] as const),
  ]);
  const computed: Record<string, unknown> = {};
  for (const name of Object.keys(results)) setOwn(computed, name, values.get(name));
  return computed as { [K in keyof R]: Computed<R[K]> };
}

/** The options that are given. */
function present<T extends object>(options: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** How far calls and frames are together: a frame counts as a call. */
class Progress {
  readonly #tell: ((progress: ComputeProgress) => void) | undefined;
  readonly #frames: number;
  #framesDone = 0;
  #calls: ComputeProgress;

  constructor(calls: number, frames: number, tell: ((progress: ComputeProgress) => void) | undefined) {
    this.#tell = tell;
    this.#frames = frames;
    this.#calls = { done: 0, total: calls, running: 0 };
  }

  ofCalls(): Pick<ComputeOptions, "onProgress"> {
    if (this.#tell === undefined) return {};
    return {
      onProgress: (calls) => {
        this.#calls = calls;
        this.#told();
      },
    };
  }

  frameDone(): void {
    this.#framesDone++;
    this.#told();
  }

  #told(): void {
    const { done, total, running } = this.#calls;
    const waiting = this.#frames - this.#framesDone;
    this.#tell?.({
      done: done + this.#framesDone,
      total: total + this.#frames,
      running: running + Math.min(1, waiting),
    });
  }
}
