import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { OptionNames } from "../../arguments.ts";
import { assertOptions, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { bytes, type Size, sizeText } from "../../sizes.ts";
import type { BadRow, Batch, Engine, EngineSession, QueryOptions } from "../engine/contract.ts";
import { duckdb } from "../engine/duckdb/duckdb.ts";
import { RunFolder } from "../parts/run-folder.ts";
import type { PlanNode } from "../plan/node.ts";
import { nodesOf } from "../plan/walk.ts";
import { Preparation } from "./prepare.ts";

/** How far a run is. */
export interface FrameProgress {
  /** What is being done: `query`, or a stage such as `mapPartitions score`. */
  readonly stage: string;
  /** How much of it is done, from 0 to 1. */
  readonly done: number;
  /** Seconds since the run began. */
  readonly seconds: number;
}

/** How a frame is run. */
export interface FrameRunOptions {
  /**
   * What runs it.
   * @default DuckDB in this process
   */
  readonly engine?: Engine;
  /**
   * Memory of the whole process tree that this run may take.
   * @default "1GB"
   */
  readonly memory?: Size;
  /**
   * The folder in which what does not fit into memory is kept while the run lasts.
   * @default the system's folder for temporary files
   */
  readonly spill?: string;
  /**
   * Bytes that may be kept there; a run that needs more fails.
   * @default as much as the disk has
   */
  readonly spillLimit?: Size;
  /**
   * Threads of the engine.
   * @default one for each processor
   */
  readonly threads?: number;
  /**
   * Ends the run, which rejects with the signal's reason.
   * @default nothing ends it early
   */
  readonly signal?: AbortSignal;
  /** Told now and then how far the run is. */
  readonly onProgress?: (progress: FrameProgress) => void;
  /**
   * Given the rows of files that do not fit their declared types, where these are read with `bad: "quarantine"`, some at a time.
   * @default none, so that frames which are read so are refused
   */
  readonly onBadRows?: (rows: readonly BadRow[]) => void | Promise<void>;
}

/** The names of the options of a run. */
export const RUN_OPTIONS: OptionNames<FrameRunOptions> = {
  engine: true,
  memory: true,
  spill: true,
  spillLimit: true,
  threads: true,
  signal: true,
  onProgress: true,
  onBadRows: true,
};

/** What Node, this program's own buffers and the code of an engine take besides what the engine counts. */
const PROGRAM = 150 * 1024 ** 2;
/** Below this an engine cannot work at all. */
const ENGINE_LEAST = 64 * 1024 ** 2;
/** The share of the memory that a result in memory may take. */
const RESULT_SHARE = 0.25;

/** One run of one or several plans: an engine in use, a folder of its own, and the plans as the engine can run them. */
export class FrameRun implements AsyncDisposable {
  readonly session: EngineSession;
  /** Bytes that a result in memory may take. */
  readonly resultMemory: number;
  readonly #preparation: Preparation;
  readonly #query: QueryOptions;
  readonly #folder: RunFolder;

  constructor(
    session: EngineSession,
    resultMemory: number,
    preparation: Preparation,
    query: QueryOptions,
    folder: RunFolder,
  ) {
    this.session = session;
    this.resultMemory = resultMemory;
    this.#preparation = preparation;
    this.#query = query;
    this.#folder = folder;
  }

  /** What holds for each query of the run. */
  get query(): QueryOptions {
    return this.#query;
  }

  /** A plan of the run as the engine can run it: its stages have run, and its files are local. */
  async prepared(plan: PlanNode): Promise<PlanNode> {
    return await this.#preparation.plan(plan);
  }

  /** The rows of a plan, all of them or an error. */
  async *batches(plan: PlanNode): AsyncGenerator<Batch, void, undefined> {
    yield* this.session.batches(await this.prepared(plan), this.#query);
  }

  /** Tells the stages that the whole result is there. */
  async finished(): Promise<void> {
    await this.#preparation.finished();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.session.close();
      await this.#preparation.released();
    } finally {
      await this.#folder[Symbol.asyncDispose]();
    }
  }
}

/** Throws where rows would be left out without anyone being told. */
function refuseUnheard(plans: readonly PlanNode[], { onBadRows }: FrameRunOptions): void {
  if (onBadRows !== undefined) return;
  for (const node of nodesOf(...plans))
    if (node.kind === "scan" && node.bad === "quarantine")
      throw new PawlError(
        "data.bad-rows",
        `Rows of ${node.locations[0]} that do not fit are left out by bad: "quarantine": give this run onBadRows, which is told of them.`,
      );
}

/** Tells the program of bad rows with the files as it named them. */
function badRowsOf(
  onBadRows: NonNullable<FrameRunOptions["onBadRows"]>,
  preparation: Preparation,
): NonNullable<QueryOptions["onBadRows"]> {
  return (rows) =>
    onBadRows(rows.map((row) => ({ ...row, file: preparation.names.get(row.file) ?? row.file })));
}

/** Begins a run of plans. What is returned has to be disposed of, which ends its queries and removes its folder. */
export async function openRun(
  plans: readonly PlanNode[],
  options: FrameRunOptions,
  { holdsResult = false }: { readonly holdsResult?: boolean } = {},
): Promise<FrameRun> {
  assertOptions(options, RUN_OPTIONS, "a run");
  const { engine = duckdb, memory = "1GB", spill = tmpdir(), spillLimit, onProgress } = options;
  const { threads = availableParallelism(), signal = new AbortController().signal } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new PawlError(
      "data.argument",
      `The threads of a run are a whole number from 1, not ${shown(threads)}.`,
    );
  const all = bytes(memory, "The option memory");
  const resultMemory = holdsResult ? Math.floor(all * RESULT_SHARE) : 0;
  const engineMemory = Math.floor(all - PROGRAM - resultMemory);
  if (engineMemory < ENGINE_LEAST)
    throw new PawlError(
      "data.memory",
      `A run needs a memory of at least ${sizeText(Math.ceil((PROGRAM + ENGINE_LEAST) / (1 - (holdsResult ? RESULT_SHARE : 0))))}, of which Node itself takes some, not ${sizeText(all)}.`,
    );
  refuseUnheard(plans, options);
  signal.throwIfAborted();
  const limit = spillLimit === undefined ? null : bytes(spillLimit, "The option spillLimit");
  const folder = RunFolder.create(spill);
  try {
    const session = await engine.open({
      memory: engineMemory,
      spillFolder: join(folder.path, "spill"),
      spillLimit: limit,
      threads,
    });
    const began = performance.now();
    const report =
      onProgress === undefined
        ? undefined
        : (stage: string, done: number) =>
            onProgress({ stage, done, seconds: (performance.now() - began) / 1000 });
    const preparation = new Preparation(plans, {
      session,
      folder: folder.path,
      limit,
      memory: engineMemory,
      signal,
      ...(report === undefined ? {} : { report }),
    });
    const query = {
      signal,
      nameOf: (path: string) => preparation.names.get(path) ?? path,
      ...(options.onBadRows === undefined ? {} : { onBadRows: badRowsOf(options.onBadRows, preparation) }),
      ...(report === undefined ? {} : { onProgress: (done: number) => report("query", done) }),
    };
    return new FrameRun(session, resultMemory, preparation, query, folder);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
