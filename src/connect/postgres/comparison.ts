import type { Column } from "./catalog.ts";
import { quoteName } from "./identifier.ts";

/** Types whose `=` holds only for values that look the same; others are compared by their bytes. */
const sameWhenEqual = new Set(
  "int2 int4 int8 oid bool date time timestamp timestamptz uuid bytea text varchar".split(" "),
);

/**
 * An operator that compares keys: by its schema where the server brings the types, for there others may have made one that
 * matches better, such as `=` for two varchar.
 */
export function comparison(operator: "=" | ">" | "<=", columns: readonly Column[]): string {
  const own = columns.every((column) => column.base !== null || column.isEnum);
  return own ? `OPERATOR(pg_catalog.${operator})` : operator;
}

/** The condition that a value is null as a whole: `IS NULL` looks into a composite value, and is true of one whose fields all are. */
export function isNull(value: string): string {
  return `${value} IS NOT DISTINCT FROM NULL`;
}

/** The opposite of `isNull`: `IS NOT NULL` is false of a composite value with one field that is null. */
export function isKnown(value: string): string {
  return `${value} IS DISTINCT FROM NULL`;
}

/** The condition that two relations differ in one of these columns, by which a load and a change leave equal rows unwritten; `right` names its column by position or by name. */
export function differsSql(
  left: string,
  columns: readonly Column[],
  right: (column: Column) => string,
): string {
  const plain = columns.filter(isPlain);
  const rest = columns.filter((column) => !isPlain(column));
  const row = (some: readonly Column[], value: (column: Column) => string) =>
    `ROW(${some.map((column) => `${value(column)}${castOf(column)}`).join(", ")})`;
  const lefts = (some: readonly Column[]) => row(some, (column) => `${left}.${quoteName(column.name)}`);
  const rights = (some: readonly Column[]) => row(some, right);
  const parts: string[] = [];
  if (plain.length > 0) parts.push(`${lefts(plain)} IS DISTINCT FROM ${rights(plain)}`);
  if (rest.length > 0) parts.push(`${lefts(rest)}::record OPERATOR(pg_catalog.*<>) ${rights(rest)}::record`);
  return `(${parts.join(" OR ")})`;
}

/** The server has no `=` for two varchar of its own, so that one that a user made would match better. */
function castOf(column: Column): string {
  return column.base === "varchar" ? "::pg_catalog.text" : "";
}

function isPlain(column: Column): boolean {
  if (column.base === "numeric" && column.limited) return true;
  return column.deterministic && sameWhenEqual.has(column.base ?? "");
}
