import { inputsOf, type PlanNode } from "./node.ts";

/**
 * All nodes of plans, each once and after its inputs: a node that is used twice is one node. Without recursion, since a plan may be
 * thousands of nodes deep.
 */
export function nodesOf(...plans: readonly PlanNode[]): readonly PlanNode[] {
  const ordered: PlanNode[] = [];
  const seen = new Set<PlanNode>();
  const open: { readonly node: PlanNode; readonly inputs: readonly PlanNode[]; next: number }[] = [];
  const enter = (node: PlanNode) => {
    if (seen.has(node)) return;
    seen.add(node);
    open.push({ node, inputs: inputsOf(node), next: 0 });
  };
  for (const plan of plans) {
    enter(plan);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const input = top.inputs[top.next++];
      if (input !== undefined) enter(input);
      else ordered.push((open.pop() as typeof top).node);
    }
  }
  return ordered;
}

/** How many nodes read each node of a plan; the plan itself has none. */
export function usesOf(plan: PlanNode): ReadonlyMap<PlanNode, number> {
  const uses = new Map<PlanNode, number>();
  for (const node of nodesOf(plan))
    for (const input of inputsOf(node)) uses.set(input, (uses.get(input) ?? 0) + 1);
  return uses;
}

/**
 * A plan with other nodes in place of its own, from the leaves up: `replace` is given each node over its new inputs, and as it was. A node
 * that is used twice is replaced once.
 */
export function replaced(
  plan: PlanNode,
  replace: (node: PlanNode, original: PlanNode) => PlanNode,
): PlanNode {
  const made = new Map<PlanNode, PlanNode>();
  for (const node of nodesOf(plan))
    made.set(
      node,
      replace(
        withInputs(node, (input) => made.get(input) as PlanNode),
        node,
      ),
    );
  return made.get(plan) as PlanNode;
}

/** A node over other inputs; the same node where they are the same. */
export function withInputs(node: PlanNode, of: (input: PlanNode) => PlanNode): PlanNode {
  const inputs = inputsOf(node);
  const others = inputs.map(of);
  if (others.every((other, index) => other === inputs[index])) return node;
  switch (node.kind) {
    case "scan":
    case "table":
    case "values":
      return node;
    case "join":
    case "asof":
      return { ...node, left: others[0] as PlanNode, right: others[1] as PlanNode };
    case "union":
    case "staged":
      return { ...node, inputs: others };
    case "sql":
      return {
        ...node,
        inputs: node.inputs.map(({ name }, index) => ({ name, plan: others[index] as PlanNode })),
      };
    default:
      return { ...node, input: others[0] as PlanNode };
  }
}
