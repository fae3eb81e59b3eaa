import { columnNode } from "../expr/columns.ts";
import type { PlanNode, ProjectNode } from "../plan/node.ts";
import type { ColumnField } from "../schema/column-type.ts";

/** The columns of a plan under the names `c0`, `c1` …, so that no name of theirs means anything to what reads the file. */
export function numbered(input: PlanNode, columns: readonly ColumnField[]): ProjectNode {
  const named = columns.map((field, index) => ({ name: `c${index}`, expression: columnNode(field) }));
  return {
    kind: "project",
    input,
    columns: named,
    fields: named.map(({ name, expression }) => ({ name, type: expression.type })),
  };
}
