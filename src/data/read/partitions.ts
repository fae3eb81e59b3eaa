import type { ColumnField } from "../schema/column-type.ts";
import { daysOf } from "./conditions.ts";
import type { DataFile } from "./locations.ts";
import type { ColumnTest, Comparable } from "./parquet/statistics.ts";

/** How Hive writes a null in the name of a folder. */
const NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__";

/**
 * Whether the folders of a file, such as `year=2024`, say that none of its rows meets all tests. False wherever they do not tell.
 */
export function isOutsideOf(
  file: DataFile,
  hive: readonly ColumnField[],
  tests: readonly ColumnTest[],
): boolean {
  if (hive.length === 0 || tests.length === 0) return false;
  const values = partitionsOf(file);
  return hive.some(({ name, type }) => {
    const text = values.get(name);
    if (text === undefined) return false;
    const value = text === null ? null : partitionValue(text, type.kind);
    return tests.some((test) => test.column === name && !mayMeet(value, text === null, test));
  });
}

/** The values of the folders `key=value` in a file's path, by key. */
function partitionsOf({ place }: DataFile): ReadonlyMap<string, string | null> {
  const path = place.kind === "local" ? place.path : place.kind === "web" ? place.url.pathname : place.key;
  const found = new Map<string, string | null>();
  for (const folder of path.split("/").slice(0, -1)) {
    const at = folder.indexOf("=");
    if (at <= 0) continue;
    const value = folder.slice(at + 1);
    found.set(folder.slice(0, at), value === NULL_FOLDER ? null : decoded(value));
  }
  return found;
}

/** Characters that cannot stand in a folder's name are escaped as in a URL. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function partitionValue(text: string, kind: ColumnField["type"]["kind"]): Comparable | null {
  if (/^u?int\d+$/.test(kind))
    return /^[+-]?\d{1,19}$/.test(text) ? { kind: "int", value: BigInt(text) } : null;
  if (kind === "text") return { kind, value: text };
  if (kind !== "date") return null;
  const days = daysOf(text);
  return days === null ? null : { kind, value: days };
}

/** `value` is null where it is not known, or the null of `isNull`. */
function mayMeet(value: Comparable | null, isNull: boolean, test: ColumnTest): boolean {
  if (test.op === "isNull") return isNull;
  if (isNull) return false;
  if (test.op === "notNull" || value === null) return true;
  if (test.op === "in") return test.values.some((each) => holds(value, "eq", each));
  return holds(value, test.op, test.value);
}

function holds(value: Comparable, op: "eq" | "lt" | "le" | "gt" | "ge", other: Comparable): boolean {
  if (value.kind !== other.kind) return true;
  const order =
    typeof value.value === "string"
      ? Buffer.compare(Buffer.from(value.value), Buffer.from(String(other.value)))
      : value.value < other.value
        ? -1
        : value.value > other.value
          ? 1
          : 0;
  switch (op) {
    case "eq":
      return order === 0;
    case "lt":
      return order < 0;
    case "le":
      return order <= 0;
    case "gt":
      return order > 0;
    case "ge":
      return order >= 0;
  }
}
