import { join } from "node:path";
import { inputsOf, type PlanNode, type StagedNode } from "../plan/node.ts";
import { nodesOf, withInputs } from "../plan/walk.ts";
import type { RunnableStage, StageContext, StagedFiles } from "./stage.ts";

/**
 * How many nodes may stand on each other in one query. DuckDB's binder needs a part of the native stack for each: 500 of the simplest kind
 * work, 2,000 end the process.
 */
const DEEPEST = 150;

/** A plan whose queries are not too deep for an engine: what lies below is written to files of the run, and read from there. */
export function withBreaks(plan: PlanNode): PlanNode {
  const depths = new Map<PlanNode, number>();
  const made = new Map<PlanNode, PlanNode>();
  for (const node of nodesOf(plan)) {
    const over = withInputs(node, (input) => made.get(input) as PlanNode);
    const depth = 1 + Math.max(0, ...inputsOf(over).map((input) => depths.get(input) ?? 0));
    const kept = depth > DEEPEST && over.kind !== "staged" ? broken(over) : over;
    depths.set(kept, kept === over && over.kind !== "staged" ? depth : 1);
    made.set(node, kept);
  }
  return made.get(plan) as PlanNode;
}

/** A node whose inputs are staged. */
function broken(node: PlanNode): StagedNode {
  return { kind: "staged", name: "part of a deep plan", inputs: [node], stage: DEEP, fields: node.fields };
}

const DEEP: RunnableStage = {
  identity: "deep",
  run: async (
    inputs: readonly PlanNode[],
    { session, folder, signal }: StageContext,
  ): Promise<StagedFiles> => {
    const [plan] = inputs;
    const path = join(folder, "part.parquet");
    const target = {
      format: "parquet",
      path,
      partitionBy: [],
      compression: "snappy",
      rowGroup: null,
      csv: null,
    } as const;
    const { rows } = await session.write(plan as PlanNode, target, { signal });
    return { paths: [path], rows };
  },
};
