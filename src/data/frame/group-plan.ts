import { quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { columnsProxy } from "../expr/columns.ts";
import { columnsOutsideAggregates, isAggregate, type NamedExpression } from "../expr/node.ts";
import type { AggregatePlanNode, PlanNode } from "../plan/node.ts";
import { fieldsOfColumns, isCallback, namedOf, refuseWindow } from "./verbs.ts";

/** The plan of a group: its keys, and the aggregates that a callback makes of the columns. */
export function groupPlan(
  input: PlanNode,
  keys: readonly NamedExpression[],
  make: unknown,
): AggregatePlanNode {
  if (!isCallback(make))
    throw new PawlError(
      "data.argument",
      `agg() needs a function of the columns, such as (c) => …, not ${shown(make)}.`,
    );
  // Without keys there may be no row at all, so that what an aggregate sees may be null.
  const { fields } = input;
  const seen = keys.length > 0 ? fields : fields.map(({ name, type }) => ({ name, type: type.nullable() }));
  const aggregates = namedOf(make(columnsProxy(seen), undefined), "agg()");
  const names = new Set(keys.map(({ name }) => name));
  for (const { name, expression } of aggregates) {
    refuseWindow(expression, "agg()");
    if (names.has(name))
      throw new PawlError(
        "data.column",
        `agg() names a column ${quoted(name)}, which is one of the keys: give it another name.`,
      );
    if (!isAggregate(expression))
      throw new PawlError(
        "data.aggregate",
        `agg() needs one value for each group, and ${quoted(name)} has one for each row: use sum(), max() or another aggregate.`,
      );
  }
  const byKey = new Set(keys.flatMap(({ expression: key }) => (key.kind === "column" ? [key.name] : [])));
  for (const { name, expression } of aggregates)
    for (const column of columnsOutsideAggregates(expression))
      if (!byKey.has(column))
        throw new PawlError(
          "data.aggregate",
          `agg() needs one value for each group, and ${quoted(name)} takes the column ${quoted(column)} of each row beside its aggregates: make it a key, or take one of its values with any().`,
        );
  const columns = [...keys, ...aggregates];
  if (columns.length === 0) throw new PawlError("data.argument", "agg() needs at least one aggregate.");
  return { kind: "group", input, keys, aggregates, fields: fieldsOfColumns(columns) };
}
