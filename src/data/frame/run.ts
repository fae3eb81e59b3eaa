import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { OptionNames } from "../../arguments.ts";
import { assertOptions } from "../../arguments.ts";
import { bytes, type Size } from "../../sizes.ts";
import type { Engine, EngineSession } from "../engine/contract.ts";
import { duckdb } from "../engine/duckdb/duckdb.ts";

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
   * Ends the run, which rejects with the signal's reason.
   * @default nothing ends it early
   */
  readonly signal?: AbortSignal;
}

const NAMES: OptionNames<FrameRunOptions> = { engine: true, memory: true, signal: true };

/** Opens a session of the engine for one run, and closes it after. */
export async function withSession<R>(
  options: FrameRunOptions,
  run: (session: EngineSession) => Promise<R>,
): Promise<R> {
  assertOptions(options, NAMES, "a run");
  const { engine = duckdb, memory = "1GB", signal } = options;
  signal?.throwIfAborted();
  const spillFolder = await mkdtemp(join(tmpdir(), "pawl-frame-"));
  try {
    const session = await engine.open({
      memory: bytes(memory, "The option memory"),
      spillFolder,
      spillLimit: null,
      threads: availableParallelism(),
    });
    try {
      return await run(session);
    } finally {
      await session.close();
    }
  } finally {
    await rm(spillFolder, { recursive: true, force: true });
  }
}
