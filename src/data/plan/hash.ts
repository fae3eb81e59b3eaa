import { createHash } from "node:crypto";
import { canonicalJson } from "../../canonical-json.ts";
import { inputsOf, type PlanNode } from "./node.ts";
import { nodesOf } from "./walk.ts";

/**
 * A hash of a plan: equal hashes mean equal plans over equal files and stages. `leafIdentity` says what a scan reads at this moment; where
 * it is absent, plans are compared as they are written, whatever is in their files.
 */
export async function planHash(
  plan: PlanNode,
  leafIdentity?: (leaf: PlanNode) => Promise<string> | string,
): Promise<string> {
  const hashes = new Map<PlanNode, string>();
  for (const node of nodesOf(plan)) {
    const hash = createHash("sha256");
    hash.update(ownText(node));
    for (const input of inputsOf(node)) hash.update(`\n${hashes.get(input)}`);
    if (leafIdentity !== undefined && (node.kind === "scan" || node.kind === "table"))
      hash.update(`\n${await leafIdentity(node)}`);
    hashes.set(node, hash.digest("hex"));
  }
  return hashes.get(plan) as string;
}

/** What a node is besides its inputs. */
function ownText(node: PlanNode): string {
  switch (node.kind) {
    case "staged":
      return canonicalJson({ kind: node.kind, identity: node.stage.identity, fields: node.fields });
    case "sql":
      return canonicalJson({ ...node, inputs: node.inputs.map(({ name }) => name) });
    case "join":
    case "asof":
      return canonicalJson({ ...node, left: null, right: null });
    case "union":
      return canonicalJson({ ...node, inputs: node.inputs.length });
    case "table":
      // A URL may hold a password, which belongs into no hash that is a name of a file.
      return canonicalJson({ ...node, url: createHash("sha256").update(node.url).digest("hex") });
    case "scan":
    case "values":
      return canonicalJson(node);
    default:
      return canonicalJson({ ...node, input: null });
  }
}
