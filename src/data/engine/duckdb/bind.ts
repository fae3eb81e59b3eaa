import type { ExpressionNode } from "../../expr/node.ts";

/**
 * SQL that needs an argument more than once. A column or literal stands there each time; anything longer is computed once and given a
 * name by a lambda, so that nested calls do not double the text at each level. The body must name nothing but what it is given, because a name of a
 * lambda hides a column of that name.
 */
export function bound(
  args: readonly string[],
  nodes: readonly ExpressionNode[],
  body: (...names: readonly string[]) => string,
): string {
  if (nodes.every(({ kind }) => kind === "column" || kind === "literal")) return body(...args);
  if (args.length === 1) return `list_transform([${args[0]}], lambda pawl_value: ${body("pawl_value")})[1]`;
  const fields = args.map((arg, index) => `'v${index}': ${arg}`).join(", ");
  const names = args.map((_, index) => `pawl_value.v${index}`);
  return `list_transform([{${fields}}], lambda pawl_value: ${body(...names)})[1]`;
}
