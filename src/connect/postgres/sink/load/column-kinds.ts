import type { ColumnKind, CompositeKind } from "../../../../batch/contract.ts";
import { type Column, matchColumn } from "../../catalog.ts";
import type { LoadTarget } from "./load-target.ts";

const NUMBERS: ReadonlyMap<string, CompositeKind["numbers"]> = new Map([
  ["int2", "whole"],
  ["int4", "whole"],
  ["int8", "whole"],
  ["numeric", "any"],
  ["float4", "any"],
  ["float8", "any"],
  ["interval", "any"],
  ["money", "money"],
]);
const DATES: ReadonlySet<string> = new Set(["date", "timestamp", "timestamptz"]);
/** From the least to the most that its separators can change. */
const STEPS: readonly CompositeKind["numbers"][] = ["none", "whole", "any", "money"];

/** Which columns of a source are or hold numbers or dates in the table, so that it can read their texts as a country writes them. */
export function kindsOf(
  { table, map, assignments }: LoadTarget,
  columns: readonly string[],
): (readonly [column: string, kind: ColumnKind])[] {
  const assigned = new Set(assignments.map((each) => each.column.name));
  return columns.flatMap((name) => {
    const column = matchColumn(table, map.get(name) ?? name);
    const kind = column === null ? null : kindOf(column);
    // An expression decides itself what it makes of such a text.
    if (kind === null || (typeof kind === "object" && assigned.has(column?.name ?? ""))) return [];
    return [[name, kind] as const];
  });
}

function kindOf({ base, type, within }: Column): ColumnKind | null {
  if (DATES.has(base ?? "")) return "date";
  if (NUMBERS.has(base ?? "") && base !== "money" && base !== "interval") return "number";
  const dates = within.some((each) => DATES.has(each));
  const steps = within.map((each) => STEPS.indexOf(NUMBERS.get(each) ?? "none"));
  const numbers = STEPS[Math.max(0, ...steps)] ?? "none";
  return dates || numbers !== "none" ? { type, dates, numbers } : null;
}
