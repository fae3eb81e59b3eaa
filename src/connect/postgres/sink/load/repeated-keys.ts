import type { KeyColumn, Ordering } from "../../../../batch/contract.ts";
import type { Column } from "../../catalog.ts";
import type { LoadTarget } from "./load-target.ts";
import type { RowLayout } from "./row-layout.ts";

/**
 * How two texts of this column compare as keys; null when only the server can tell. `varchar(n)` is among the
 * latter, because it silently drops blanks beyond its length; so are enough others that only these are named.
 */
function equalityOf(column: Column): KeyColumn["equality"] | null {
  if (column.isEnum) return "bytes";
  switch (column.base) {
    case "int2":
    case "int4":
    case "int8":
      return "integer";
    case "uuid":
      return "uuid";
    case "text":
    case "varchar":
      return column.deterministic && !column.limited ? "bytes" : null;
    default:
      return null;
  }
}

/**
 * In what order the rows must come so that the last of several with one key wins (with `ignore` and `fail`, the
 * first). This order holds between chunks; within a chunk of a load `LoadStatements.writeLast` and its ORDER BY see to the same
 * rule, and within one of a change `ChangeEncoder`. The note says what keeps a load from being spread, where the user can do something about it.
 */
export function orderingOf(
  target: LoadTarget,
  unique: boolean,
  transformed: boolean,
  layout: RowLayout | null,
): { readonly ordering: Ordering; readonly note: string | null } {
  if (unique || target.key === null) return { ordering: { kind: "any" }, note: null };
  if (target.keyComputed) {
    return {
      ordering: { kind: "total" },
      note:
        `A trigger of ${target.table.label} may compute the key, so only PostgreSQL can tell which keys are the same: the rows ` +
        "are written in their order, one chunk after the other; `unique: true` promises that no key repeats and lifts that.",
    };
  }
  if (transformed || layout === null) return { ordering: { kind: "total" }, note: null };
  const key: KeyColumn[] = [];
  for (const column of target.key.columns) {
    const field = layout.fields.find((each) => each.column?.name === column.name);
    const equality = field === undefined ? null : equalityOf(column);
    if (field === undefined || equality === null) {
      const why = field === undefined ? "is computed" : `is ${column.type}`;
      return {
        ordering: { kind: "total" },
        note:
          `The key column "${column.name}" ${why}, so only PostgreSQL can tell which keys are the same: the rows are ` +
          "written in their order, one chunk after the other; `unique: true` promises that no key repeats and lifts that.",
      };
    }
    key.push({ name: field.name, equality });
  }
  return { ordering: { kind: "byKey", key }, note: null };
}
