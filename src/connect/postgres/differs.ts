import { quoteName } from "./identifier.ts";
import type { Column } from "./table.ts";

/** Types whose `=` holds only for values that look the same; others are compared by their bytes. */
const sameWhenEqual = new Set(
  "int2 int4 int8 oid bool date time timestamp timestamptz uuid bytea text varchar".split(" "),
);

/** The condition that two relations differ in one of these columns; `right` names its column by place or by name. */
export function differsSql(
  left: string,
  columns: readonly Column[],
  right: (column: Column) => string,
): string {
  const plain = columns.filter(isPlain);
  const rest = columns.filter((column) => !isPlain(column));
  const lefts = (some: readonly Column[]) =>
    `ROW(${some.map((column) => `${left}.${quoteName(column.name)}`).join(", ")})`;
  const rights = (some: readonly Column[]) => `ROW(${some.map(right).join(", ")})`;
  const parts: string[] = [];
  if (plain.length > 0) parts.push(`${lefts(plain)} IS DISTINCT FROM ${rights(plain)}`);
  if (rest.length > 0) parts.push(`${lefts(rest)}::record *<> ${rights(rest)}::record`);
  return `(${parts.join(" OR ")})`;
}

function isPlain(column: Column): boolean {
  if (column.isEnum || (column.base === "numeric" && column.limited)) return true;
  return column.deterministic && sameWhenEqual.has(column.base ?? "");
}
