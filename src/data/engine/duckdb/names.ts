import type { ColumnField } from "../../schema/column-type.ts";
import { quoteName } from "./quote.ts";

const KNOWN = new WeakMap<readonly ColumnField[], ReadonlyMap<string, string>>();

/**
 * What each column of a node is called in DuckDB's SQL, quoted. DuckDB takes names that differ only in capitals for the same, even in
 * quotes, and has none that are empty or hold a NUL: such columns get a name that tells their place, the same wherever it is asked.
 */
function sqlNames(fields: readonly ColumnField[]): ReadonlyMap<string, string> {
  const known = KNOWN.get(fields);
  if (known !== undefined) return known;
  const times = new Map<string, number>();
  for (const { name } of fields) times.set(folded(name), (times.get(folded(name)) ?? 0) + 1);
  const names = new Map<string, string>();
  fields.forEach(({ name }, index) => {
    const isPlain = times.get(folded(name)) === 1 && name !== "" && !name.includes("\0");
    names.set(name, quoteName(isPlain ? name : placeName(index, times)));
  });
  KNOWN.set(fields, names);
  return names;
}

/** The quoted name of one column. */
export function sqlName(name: string, fields: readonly ColumnField[]): string {
  const found = sqlNames(fields).get(name);
  if (found === undefined) throw new Error(`The plan has no column ${JSON.stringify(name)}`);
  return found;
}

function placeName(index: number, taken: ReadonlyMap<string, number>): string {
  let name = `column ${index + 1}`;
  while (taken.has(name)) name = `${name}_`;
  return name;
}

/** As DuckDB compares names. */
function folded(name: string): string {
  return name.toLowerCase();
}
