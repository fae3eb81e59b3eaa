import type { ColumnKind } from "../../batch/contract.ts";
import { matchColumn } from "./key.ts";
import type { Target } from "./layout.ts";

const KINDS: ReadonlyMap<string, ColumnKind> = new Map([
  ["int2", "number"],
  ["int4", "number"],
  ["int8", "number"],
  ["numeric", "number"],
  ["float4", "number"],
  ["float8", "number"],
  ["date", "date"],
  ["timestamp", "date"],
  ["timestamptz", "date"],
]);

/** Which columns of a source are numbers or dates in the table, so that it can read their texts as a country writes them. */
export function kindsOf(
  { table, map }: Target,
  columns: readonly string[],
): (readonly [column: string, kind: ColumnKind])[] {
  return columns.flatMap((name) => {
    const column = matchColumn(table, map.get(name) ?? name);
    const kind = KINDS.get(column?.base ?? "");
    return kind === undefined ? [] : [[name, kind] as const];
  });
}
