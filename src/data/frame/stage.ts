import type { EngineSession } from "../engine/contract.ts";
import type { ExpressionNode } from "../expr/node.ts";
import type { PlanNode, Stage } from "../plan/node.ts";

/** How a staged node is run. */
export interface RunnableStage extends Stage {
  /** Runs it over its inputs and resolves with Parquet files that hold the result. */
  run(inputs: readonly PlanNode[], context: StageContext): Promise<StagedFiles>;
  /** Its files where an earlier run has left them, so that nothing below it is run or read; null where it has to run. */
  kept?(inputs: readonly PlanNode[], signal: AbortSignal): Promise<StagedFiles | null>;
}

/** What a stage may use. */
export interface StageContext {
  /** The engine of the run. */
  readonly session: EngineSession;
  /** A folder of this run for its files, removed afterwards. */
  readonly folder: string;
  /** Bytes the stage may hold. */
  readonly memory: number;
  readonly signal: AbortSignal;
  /** Told now and then how far the stage is, from 0 to 1. */
  readonly onProgress?: (done: number) => void;
  /** Which columns of the result are needed, and a condition by which rows that do not fulfil it may be left out. */
  readonly needed: {
    readonly columns: readonly string[];
    readonly where: ExpressionNode | null;
    /** Of the plans below: equal texts mean equal rows. */
    readonly identity?: () => Promise<string>;
    /** The plans below as the program wrote them, before their files were made local. */
    readonly original?: readonly PlanNode[];
  };
}

/** The files of a stage. */
export interface StagedFiles {
  /** Local Parquet files. */
  readonly paths: readonly string[];
  /** Rows in all of them, as they were counted when they were written. */
  readonly rows: number;
  /** Called when the whole result of the run is there, which needs the files no longer. */
  readonly finished?: () => Promise<void>;
  /** Called when the run ends, however it ends: the files are not needed any more. */
  readonly released?: () => Promise<void>;
}
