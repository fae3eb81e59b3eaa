import { EventEmitter } from "node:events";
import { assertMethods, assertObject, assertOptions, type OptionNames } from "../../arguments.ts";
import { withoutFullStop } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { isLoading } from "../../pool/contract.ts";
import type { JobReference, Json, Store } from "../../store/contract.ts";
import { openStore } from "../../store/index.ts";
import { type StateLocation, stateLocation } from "../../store/internal.ts";
import type { Job } from "../job/job.ts";
import { cancel, pause } from "./control.ts";
import { execute } from "./execute.ts";
import { type PreparedRun, prepare } from "./prepare.ts";
import type { RunProgress } from "./progress.ts";
import { type RunSummary, summaryOf } from "./progress.ts";

/** Where a run is kept, how it is told apart from others, and how it is stopped. */
export interface RunOptions {
  /**
   * An open store, which stays open, or where it is.
   * @default `PAWL_STORE`, or `.pawl/store.db` in the working directory
   */
  readonly store?: Store | string;
  /**
   * What tells this work from other work of the same job: a run with other parameters is other work. They are stored, so
   * that they must not hold secrets.
   * @default null
   */
  readonly params?: Json;
  /**
   * The file URL of the module that exports the job, so that `pawl resume` and workers find it: `import.meta.url`.
   * @default none: only the same program can resume the run
   */
  readonly module?: string;
  /**
   * Give up an unfinished run of the same work and start over.
   * @default false
   */
  readonly restart?: boolean;
  /** Aborting pauses the run at its next checkpoints. @default none */
  readonly signal?: AbortSignal;
}

const OPTIONS: OptionNames<RunOptions> = {
  store: true,
  params: true,
  module: true,
  restart: true,
  signal: true,
};

interface RunEvents {
  /** How far the run is, several times a second. */
  progress: [RunProgress];
  /** A sentence for the user. */
  note: [string];
}

/**
 * A run that ended without success: `run.failed`, `run.paused` or `run.cancelled` is its code. What it committed stays, and
 * a run that failed or was paused continues where it stopped when the same work is run again.
 *
 * @example
 * ```ts
 * import { type Job, RunFailedError, run } from "pawl/batch";
 *
 * const written = async (job: Job<unknown>) => {
 *   try {
 *     return (await run(job)).written;
 *   } catch (error) {
 *     if (error instanceof RunFailedError && error.code === "run.paused") return error.summary.written;
 *     throw error;
 *   }
 * };
 * ```
 */
export class RunFailedError extends PawlError {
  /** The name of the class. */
  override readonly name = "RunFailedError";
  /** How far the run came, and why it stopped. */
  readonly summary: RunSummary;

  constructor(summary: RunSummary) {
    const { run, state, note } = summary;
    const why = note === undefined ? "." : `: ${withoutFullStop(note)}.`;
    if (state === "paused") super("run.paused", `Run ${run} was paused${why}`);
    else if (state === "cancelled") super("run.cancelled", `Run ${run} was cancelled${why}`);
    else super("run.failed", `Run ${run} failed${why}`);
    this.summary = summary;
  }
}

/**
 * A run under way. Await it for the summary of a run that succeeded; listen to `progress` and `note` meanwhile.
 *
 * @throws RunFailedError when awaited, if the run ended without success; it has the summary
 * @throws PawlError when awaited, if the run could not begin
 * @example
 * ```ts
 * const watched = async (job: Job<unknown>) => {
 *   const handle = run(job);
 *   handle.on("progress", ({ counts, items }) => console.log(`${counts.read} of ${items ?? "?"}`));
 *   process.once("SIGTERM", () => void handle.pause());
 *   return await handle.summary();
 * };
 * ```
 */
export class RunHandle extends EventEmitter<RunEvents> implements PromiseLike<RunSummary> {
  readonly #prepared: Promise<{
    readonly prepared: PreparedRun;
    readonly store: Store;
    readonly runs: string;
  }>;
  readonly #summary: Promise<RunSummary>;
  readonly #succeeded: Promise<RunSummary>;

  constructor(job: Job<unknown, unknown>, options: RunOptions) {
    super();
    if (isLoading()) {
      throw new PawlError(
        "run.unguarded-main",
        `Job ${job.name} is run while a worker loads its module to find a function: put run() under if (import.meta.main).`,
      );
    }
    const opened = this.#open(options.store);
    const reference: JobReference = {
      name: job.name,
      module: options.module ?? null,
      params: options.params ?? null,
    };
    const { restart = false, signal } = options;
    this.#prepared = opened.then(async ({ store, runs }) => ({
      ...{ store, runs },
      prepared: await prepare(job, { store, reference, restart, runs, ...(signal ? { signal } : {}) }),
    }));
    this.#summary = this.#prepared
      .then(({ prepared, runs }) => this.#execute(prepared, runs, signal))
      .finally(async () => {
        if (typeof options.store !== "object") await opened.then(({ store }) => store.close());
      });
    // Like every promise: a failure that the program neither awaits nor asks for is an unhandled rejection, never silence.
    this.#succeeded = this.#summary.then(assertSucceeded);
  }

  async #open(given: RunOptions["store"]): Promise<{ readonly store: Store; readonly runs: string }> {
    const location = given === undefined ? stateLocation() : defaultIfWrong();
    const store = typeof given === "object" ? given : await openStore(given ?? location.store);
    return { store, runs: location.runs };
  }

  async #execute(
    prepared: PreparedRun,
    scratch: string,
    signal: AbortSignal | undefined,
  ): Promise<RunSummary> {
    for (const note of prepared.notes) this.emit("note", note);
    const progress = await execute(prepared, {
      scratch,
      onProgress: (now) => this.emit("progress", now),
      onNote: (note) => this.emit("note", note),
      ...(signal ? { signal } : {}),
    });
    return summaryOf(progress);
  }

  /** The run's id, once it is stored. */
  async id(): Promise<string> {
    const { prepared } = await this.#begun();
    return prepared.run.id;
  }

  /**
   * Asks the run to stop at its next checkpoints; it can be resumed. Resolves once that is stored. A program that has asked a run
   * to stop need not await it.
   *
   * @throws PawlError `run.state` if the run has ended
   */
  async pause(): Promise<void> {
    await this.#ask(pause);
  }

  /**
   * Asks the run to stop at its next checkpoints for good. What it wrote stays. Resolves once that is stored. A program that has asked a
   * run to stop need not await it.
   *
   * @throws PawlError `run.state` if the run has ended
   */
  async cancel(): Promise<void> {
    await this.#ask(cancel);
  }

  /**
   * The summary of the run when it has ended, in whatever state: look at `state`.
   *
   * @throws PawlError only if the run could not begin, or lost its store
   * @example
   * ```ts
   * const ended = async (job: Job<unknown>) => (await run(job).summary()).state;
   * ```
   */
  summary(): Promise<RunSummary> {
    this.#handled();
    return this.#summary;
  }

  /** What `await` calls: resolves with the summary of a run that succeeded, and rejects with `RunFailedError` otherwise. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting the handle is its main use
  then<A = RunSummary, B = never>(
    onFulfilled?: ((summary: RunSummary) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#succeeded.then(onFulfilled, onRejected);
  }

  async #ask(what: typeof pause | typeof cancel): Promise<void> {
    const { prepared, store } = await this.#begun();
    try {
      await what(store, prepared.run);
    } catch (error) {
      if (!(error instanceof PawlError && error.code === "store.closed")) throw error;
      // The run is at rest, and this handle had opened the store.
      const again = await openStore(store.address);
      try {
        await what(again, prepared.run);
      } finally {
        await again.close();
      }
    }
    this.#handled();
  }

  /** The run once it is stored. A caller that asks for it gets the error of a run that could not begin. */
  async #begun(): Promise<{ readonly prepared: PreparedRun; readonly store: Store }> {
    this.#prepared.catch(() => this.#handled());
    return await this.#prepared;
  }

  #handled(): void {
    this.#succeeded.catch(() => {});
  }
}

/** Where the files of runs lie. A PAWL_STORE that is not the run's store need not be one. */
function defaultIfWrong(): StateLocation {
  try {
    return stateLocation();
  } catch {
    return stateLocation({});
  }
}

function assertSucceeded(summary: RunSummary): RunSummary {
  if (summary.state === "succeeded") return summary;
  throw new RunFailedError(summary);
}

/**
 * Runs a job in this process, or resumes the unfinished run of the same work.
 *
 * @throws RunFailedError when awaited, if the run ended without success
 * @throws PawlError `run.unguarded-main` if a worker of a pool runs it while it loads the module; when awaited:
 * `run.busy` if another process works on it, `run.source-changed` if the source is not what it was, `job.memory` if the
 * memory is too little, `sink.no-guarantee` if the job must say `atLeastOnce`
 * @example
 * ```ts
 * import type { Job } from "pawl/batch";
 *
 * const written = async (job: Job<unknown>) => (await run(job)).written;
 * ```
 */
export function run<T, U>(job: Job<T, U>, options: RunOptions = {}): RunHandle {
  assertObject(job, "What run takes");
  assertOptions(options, OPTIONS, "run");
  const { signal } = options;
  if (signal !== undefined)
    assertMethods(signal, "throwIfAborted", "The signal of a run must be an AbortSignal");
  assertMethods(job.source, "describe", "The source of a job must be one such as csv() or table()");
  assertMethods(job.sink, "open", "The sink of a job must be one such as postgres()");
  return new RunHandle(job as unknown as Job<unknown, unknown>, options);
}
