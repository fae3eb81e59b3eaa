import { assertOptions, type OptionNames } from "../../arguments.ts";
import type { Sink } from "../../batch/contract.ts";
import { defineJob, type Job, type RunSummary, run } from "../../batch/index.ts";
import type { Store } from "../../store/contract.ts";
import { type FrameRunOptions, RUN_OPTIONS } from "../frame/run.ts";
import type { PlanNode } from "../plan/node.ts";
import { FrameSource } from "./frame-source.ts";

/** How rows go into a sink: how the frame is run, and how the job is. */
export interface IntoOptions extends FrameRunOptions {
  /**
   * What the run is called. An interrupted run of one name continues where it stopped when the same is asked again.
   * @default the files of the frame
   */
  readonly name?: string;
  /**
   * An open store, which stays open, or where it is.
   * @default `PAWL_STORE`, or `.pawl/store.db` in the working directory
   */
  readonly store?: Store | string;
  /**
   * Give up an unfinished run of this name and start over.
   * @default false
   */
  readonly restart?: boolean;
  /**
   * Rows that may be quarantined: a number, or a share such as `"1%"`.
   * @default 1_000
   */
  readonly maxQuarantined?: Job<unknown>["maxQuarantined"];
}

const NAMES: OptionNames<IntoOptions> = {
  ...RUN_OPTIONS,
  name: true,
  store: true,
  restart: true,
  maxQuarantined: true,
};

/** Runs a job that puts the rows of a plan into a sink. */
export async function intoSink<T>(plan: PlanNode, sink: Sink<T>, options: IntoOptions): Promise<RunSummary> {
  assertOptions(options, NAMES, "into");
  const { name, store, restart, maxQuarantined, ...frame } = options;
  const source = new FrameSource<T>(plan, frame);
  const job = defineJob<T, T>({
    name: name ?? (await source.describe()).name,
    source,
    sink,
    ...(maxQuarantined === undefined ? {} : { maxQuarantined }),
  });
  return await run(job, {
    ...(store === undefined ? {} : { store }),
    ...(restart === undefined ? {} : { restart }),
    ...(frame.signal === undefined ? {} : { signal: frame.signal }),
  });
}
