import type { PlanNode } from "./node.ts";

/** By what a row of a plan is known, whatever the threads that made it. */
export type RowIdentity =
  | { readonly by: "place" }
  | { readonly by: "key"; readonly columns: readonly string[] }
  | { readonly by: "content" };

/** By what the rows of a plan are known: their place in the files, a key that no two share, or only by all of their content. */
export function rowIdentity(plan: PlanNode): RowIdentity {
  switch (plan.kind) {
    case "scan":
    case "values":
    case "table":
    case "staged":
      return { by: "place" };
    case "filter":
    case "explode":
      return plan.kind === "explode" && rowIdentity(plan.input).by === "key"
        ? { by: "content" }
        : rowIdentity(plan.input);
    case "project": {
      const below = rowIdentity(plan.input);
      if (below.by !== "key") return below;
      // A key is still one where all of its columns are in the result, under whatever name.
      const names = below.columns.map(
        (column) =>
          plan.columns.find(({ expression }) => expression.kind === "column" && expression.name === column)
            ?.name,
      );
      return names.every((name) => name !== undefined) ? { by: "key", columns: names } : { by: "content" };
    }
    case "group":
      return plan.keys.length === 0
        ? { by: "place" }
        : { by: "key", columns: plan.keys.map(({ name }) => name) };
    case "distinct":
      return { by: "key", columns: plan.on ?? plan.fields.map(({ name }) => name) };
    default:
      return { by: "content" };
  }
}
