import type { AnyNode } from "acorn";

/** The nodes right below a node, in the order of the text. */
export function* children(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) yield* value.filter(isNode);
    else if (isNode(value)) yield value;
  }
}

/** The node and all below it. */
export function* nodes(root: AnyNode): Generator<AnyNode> {
  yield root;
  for (const child of children(root)) yield* nodes(child);
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
