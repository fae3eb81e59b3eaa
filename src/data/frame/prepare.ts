import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { EngineSession } from "../engine/contract.ts";
import type { FileScan, PlanNode, StagedNode, ValuesNode } from "../plan/node.ts";
import { nodesOf, withInputs } from "../plan/walk.ts";
import type { RunnableStage, StagedFiles } from "./stage.ts";

/** What a preparation works with. */
export interface PreparationOptions {
  readonly session: EngineSession;
  /** The folder of the run. */
  readonly folder: string;
  /** Bytes that a stage may hold. */
  readonly memory: number;
  readonly signal: AbortSignal;
  /** Told how far a stage is. */
  readonly report?: (stage: string, done: number) => void;
}

/** Makes plans into ones that an engine can run: what runs outside of it is run before, once, and becomes a scan of its files. */
export class Preparation {
  readonly #options: PreparationOptions;
  /** What each staged node became, so that one that several plans use runs once. */
  readonly #staged = new Map<StagedNode, Promise<PlanNode>>();
  readonly #finished: (() => Promise<void>)[] = [];

  constructor(options: PreparationOptions) {
    this.#options = options;
  }

  /** The plan as an engine can run it. */
  async plan(plan: PlanNode): Promise<PlanNode> {
    const made = new Map<PlanNode, PlanNode>();
    for (const node of nodesOf(plan)) {
      const over = withInputs(node, (input) => made.get(input) as PlanNode);
      made.set(
        node,
        over.kind === "staged" && node.kind === "staged" ? await this.#stage(node, over.inputs) : over,
      );
    }
    return made.get(plan) as PlanNode;
  }

  /** Tells the stages that ran that the whole result is there. */
  async finished(): Promise<void> {
    for (const finished of this.#finished.splice(0)) await finished();
  }

  #stage(node: StagedNode, inputs: readonly PlanNode[]): Promise<PlanNode> {
    const known = this.#staged.get(node);
    if (known !== undefined) return known;
    const running = this.#run(node, inputs, this.#staged.size);
    this.#staged.set(node, running);
    return running;
  }

  async #run(node: StagedNode, inputs: readonly PlanNode[], number: number): Promise<PlanNode> {
    const { session, folder: runFolder, memory, signal, report } = this.#options;
    signal.throwIfAborted();
    const folder = join(runFolder, `stage-${number}`);
    await mkdir(folder, { mode: 0o700 });
    const files = await (node.stage as RunnableStage).run(inputs, {
      session,
      folder,
      memory,
      signal,
      needed: { columns: node.fields.map(({ name }) => name), where: null },
      ...(report === undefined ? {} : { onProgress: (done: number) => report(node.name, done) }),
    });
    signal.throwIfAborted();
    if (files.finished !== undefined) this.#finished.push(files.finished);
    return scanOf(node, files);
  }
}

/** The scan of what a stage wrote. */
function scanOf({ fields }: StagedNode, { paths }: StagedFiles): FileScan | ValuesNode {
  if (paths.length === 0) return { kind: "values", fields, rows: [] };
  return {
    kind: "scan",
    format: "parquet",
    locations: paths,
    fields,
    hive: [],
    fileColumn: null,
    bad: "fail",
    csv: null,
  };
}
