import { join } from "node:path";
import type { WriteTarget } from "../engine/contract.ts";
import { inputsOf, type PlanNode, type StagedNode } from "../plan/node.ts";
import { nodesOf, withInputs } from "../plan/walk.ts";
import type { RunnableStage, StageContext, StagedFiles } from "./stage.ts";
import { columnNamed, projected } from "./verbs.ts";

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
    const kept = depth > DEEPEST && over.kind !== "staged" ? interim(over, "part of a deep plan") : over;
    depths.set(kept, kept.kind === "staged" ? 1 : depth);
    made.set(node, kept);
  }
  return made.get(plan) as PlanNode;
}

/**
 * Plans of one run in which what several of them have in common is worked out once and kept in files of the run. Parquet that only streams through
 * filters and columns is left to each of them: a copy would cost more than to read the columns that each needs.
 */
export function withCommonParts(plans: readonly PlanNode[]): readonly PlanNode[] {
  const users = new Map<PlanNode, Set<number>>();
  plans.forEach((plan, index) => {
    for (const node of nodesOf(plan)) {
      const known = users.get(node) ?? new Set();
      users.set(node, known.add(index));
    }
  });
  const shared = new Map<PlanNode, StagedNode>();
  const isWanted = (node: PlanNode, by: number) =>
    (users.get(node)?.size ?? 0) > by && node.kind !== "staged" && node.kind !== "values" && !isCheap(node);
  const wrap = (node: PlanNode) => {
    const known = shared.get(node) ?? interim(node, "common part");
    shared.set(node, known);
    return known;
  };
  return plans.map((plan) => {
    const made = new Map<PlanNode, PlanNode>();
    for (const node of nodesOf(plan)) {
      const by = users.get(node)?.size ?? 0;
      // What is common ends where fewer results use what stands on it.
      made.set(
        node,
        by > 1
          ? node
          : withInputs(node, (input) => {
              const own = made.get(input) as PlanNode;
              return isWanted(input, 1) ? wrap(input) : own;
            }),
      );
    }
    return isWanted(plan, 1) ? wrap(plan) : (made.get(plan) as PlanNode);
  });
}

function isCheap(plan: PlanNode): boolean {
  let node = plan;
  while (node.kind === "filter" || node.kind === "project") node = node.input;
  return node.kind === "values" || (node.kind === "scan" && node.format === "parquet");
}

/** A node whose rows are kept in files of the run. */
function interim(node: PlanNode, name: string): StagedNode {
  return { kind: "staged", name, inputs: [node], stage: INTERIM, fields: node.fields };
}

const INTERIM: RunnableStage = {
  identity: "interim",
  passesNeeds: true,
  run: async (inputs: readonly PlanNode[], context: StageContext): Promise<StagedFiles> => {
    const { session, folder, signal, needed, onProgress } = context;
    const input = inputs[0] as PlanNode;
    const columns = needed.columns.map((name) => columnNamed(name, input.fields));
    const path = join(folder, "rows.parquet");
    const { rows } = await session.write(projected(input, columns, "a common part"), parquetAt(path), {
      signal,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { paths: [path], rows };
  },
};

/** One file of Parquet. */
export function parquetAt(path: string): WriteTarget {
  return { format: "parquet", path, partitionBy: [], compression: "snappy", rowGroup: null, csv: null };
}
