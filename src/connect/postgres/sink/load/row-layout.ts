import { PawlError } from "../../../../errors.ts";
import { suggest } from "../../../../near-names.ts";
import { type Column, findColumn, matchColumn } from "../../catalog.ts";
import { optionText } from "../../option-text.ts";
import type { Assignment } from "../expressions.ts";
import { TransformCheck } from "../transform-check.ts";
import type { LoadTarget } from "./load-target.ts";

/** A value of an item, by its name in the source; without a column it is left out of the table. */
export interface Field {
  readonly name: string;
  readonly column: Column | null;
  /** Its column in the staging tables. */
  readonly staged: string;
}

/** Where the values of items with the same names go. */
export interface RowLayout {
  readonly number: number;
  readonly fields: readonly Field[];
  readonly assignments: readonly Assignment[];
}

/** Makes layouts and keeps them: items of a transform may have different names from one to the next. */
export class RowLayouts {
  readonly target: LoadTarget;
  readonly transformCheck = new TransformCheck();
  readonly #known = new Map<string, RowLayout>();

  constructor(target: LoadTarget) {
    this.target = target;
  }

  of(names: readonly string[]): RowLayout {
    const id = JSON.stringify(names);
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const made = { ...makeLayout(this.target, names), number: this.#known.size };
    this.#known.set(id, made);
    return made;
  }
}

function makeLayout(target: LoadTarget, names: readonly string[]): Omit<RowLayout, "number"> {
  const { table, assignments, source, key } = target;
  const fields = names.map((name, index) => ({
    name,
    column: columnFor(target, name),
    staged: `c${index}`,
  }));
  const seen = new Map<string, string>();
  for (const { name, column } of fields) {
    if (column === null) continue;
    const other = seen.get(column.name);
    if (other !== undefined) {
      throw new PawlError(
        "postgres.column-twice",
        `Both "${other}" and "${name}" of ${source} would go to the column "${column.name}" of ${table.label}: leave ` +
          `one out with \`map: { ${optionText(name)}: "-" }\`.`,
      );
    }
    seen.set(column.name, name);
  }
  for (const { column } of key?.columns.map((each) => ({ column: each })) ?? []) {
    if (seen.has(column.name) || assignments.some((each) => each.column.name === column.name)) continue;
    throw new PawlError(
      "postgres.key-missing",
      `The key column "${column.name}" of ${table.label} is not among the columns of ${source} (${names.join(", ")}): ` +
        `map it with \`map: { "csv": ${optionText(column.name)} }\`, or name another unique key with \`key\`.`,
    );
  }
  return { fields, assignments };
}

/** The column a name of the source goes to: null when it is left out, one sentence when there is none. */
function columnFor(target: LoadTarget, name: string): Column | null {
  const { table, map, assignments, source } = target;
  const mapped = map.get(name);
  if (mapped === "" || mapped === "-") return null;
  const column =
    mapped === undefined
      ? matchColumn(table, name)
      : findColumn(table, mapped, "postgres.map", `\`map: { ${optionText(name)}: ${optionText(mapped)} }\``);
  if (column === null) {
    const names = table.columns.map((each) => each.name);
    throw new PawlError(
      "postgres.unknown-column",
      `${table.label} has no column for "${name}" of ${source}: ` +
        suggest(
          name,
          names,
          `name one with \`map: { ${optionText(name)}: "column" }\`, or leave it out with \`map: { ${optionText(name)}: "-" }\`.`,
        ),
    );
  }
  // What an expression computes wins over the value of the same name, which the expression may use.
  if (assignments.some((each) => each.column.name === column.name)) return null;
  if (column.generated) {
    throw new PawlError(
      "postgres.generated",
      `The column "${column.name}" of ${table.label} is generated and takes no values: leave it out with \`map: { ${optionText(name)}: "-" }\`.`,
    );
  }
  return column;
}

/** Says which column must be given and is not, before every single row fails for it. */
export function checkRequired(target: LoadTarget, layout: RowLayout): void {
  const { table, source } = target;
  if (table.triggersBefore) return;
  const given = new Set(givenColumns(layout).map((column) => column.name));
  const missing = table.columns.find(
    (column) =>
      column.notNull &&
      !column.hasDefault &&
      !column.generated &&
      column.identity === null &&
      !given.has(column.name),
  );
  if (missing === undefined) return;
  throw new PawlError(
    "postgres.required",
    `The column "${missing.name}" of ${table.label} may not be null and has no default, and ${source} does not bring it: ` +
      `map it with \`map: { "csv": ${optionText(missing.name)} }\`, or give it a value with \`set: { ${optionText(missing.name)}: "…" }\`.`,
  );
}

/** The columns a layout fills, in the order of its statements. */
export function givenColumns(layout: RowLayout): Column[] {
  return [
    ...layout.fields.flatMap((field) => field.column ?? []),
    ...layout.assignments.map((assignment) => assignment.column),
  ];
}
