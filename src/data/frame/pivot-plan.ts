import { assertOptions, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { type Columns, columnsProxy, fieldNamed } from "../expr/columns.ts";
import { BuiltExpression, type Expression, nodeOf } from "../expr/expression.ts";
import { type ExpressionNode, isAggregate } from "../expr/node.ts";
import type { AggregatePlanNode, PlanNode, UnpivotNode } from "../plan/node.ts";
import { type ColumnType, type FrameSchema, text, typeText } from "../schema/column-type.ts";
import type { Nullable } from "./frame-types.ts";
import { columnNamed, columnNode, fieldsOfColumns, isCallback, namesOf, refuseWindow } from "./verbs.ts";

/** Which values become columns. */
export interface PivotOptions<
  S extends FrameSchema = FrameSchema,
  B extends string = string,
  C = unknown,
  E = Expression<ColumnType, "group">,
> {
  /** The columns whose values make the rows. */
  readonly by: readonly B[];
  /** The column whose values become columns. */
  readonly on: keyof S & string;
  /** These values, which become the names of the columns. A value that is not listed is in none. */
  readonly columns: readonly C[];
  /** The aggregate of the rows with that value; null where there are none, and 0 of `count()`. */
  readonly values: (columns: Columns<Nullable<S>>) => E;
}

/** Which columns become rows. */
export interface UnpivotOptions<
  C extends string = string,
  N extends string = string,
  V extends string = string,
> {
  /** The columns, all of one type. */
  readonly columns: readonly C[];
  /** What the column with their names is called. @default "name" */
  readonly name?: N;
  /** What the column with their values is called. @default "value" */
  readonly value?: V;
}

/** The plan of a pivot: a group with an aggregate for each value, of the rows that have it. */
export function pivotPlan(input: PlanNode, options: PivotOptions): AggregatePlanNode {
  assertOptions(options, { by: true, on: true, columns: true, values: true }, "pivot");
  const { by, on, columns, values } = options;
  const { fields } = input;
  const keys = namesOf([by], fields, "pivot()").map((name) => columnNamed(name, fields));
  const value = new BuiltExpression(columnNode(on, fields));
  if (!Array.isArray(columns) || columns.length === 0)
    throw new PawlError(
      "data.argument",
      `pivot() needs the values that become columns, as an array, not ${shown(columns)}.`,
    );
  if (!isCallback(values))
    throw new PawlError(
      "data.argument",
      `The values of pivot() are a function of the columns, not ${shown(values)}.`,
    );
  const seen = fields.map(({ name, type }) => ({ name, type: type.nullable() }));
  const of = nodeOf(values(columnsProxy(seen) as never));
  refuseWindow(of, "pivot()");
  if (!isAggregate(of))
    throw new PawlError(
      "data.aggregate",
      "The values of pivot() need an aggregate such as c.amount.sum() or count().",
    );
  const names = new Set(keys.map(({ name }) => name));
  const aggregates = columns.map((each: unknown) => {
    const name = String(each);
    if (names.has(name))
      throw new PawlError("data.column", `pivot() makes two columns ${quoted(name)}: rename() one before.`);
    names.add(name);
    return { name, expression: whereEqual(of, value.eq(each).node) };
  });
  return { kind: "group", input, keys, aggregates, fields: fieldsOfColumns([...keys, ...aggregates]) };
}

/** An expression of aggregates that see only rows for which a condition is true. */
function whereEqual(node: ExpressionNode, where: ExpressionNode): ExpressionNode {
  switch (node.kind) {
    case "aggregate":
      return {
        ...node,
        where:
          node.where === null ? where : new BuiltExpression(node.where).and(new BuiltExpression(where)).node,
      };
    case "call":
    case "sql":
      return { ...node, arguments: node.arguments.map((each) => whereEqual(each, where)) };
    case "cast":
      return { ...node, of: whereEqual(node.of, where) };
    case "case":
      return {
        ...node,
        branches: node.branches.map((branch) => ({
          when: whereEqual(branch.when, where),
          // biome-ignore lint/suspicious/noThenProperty: a branch of a case is data that is never awaited.
          then: whereEqual(branch.then, where),
        })),
        otherwise: whereEqual(node.otherwise, where),
      };
    default:
      return node;
  }
}

/** The plan of columns as rows. */
export function unpivotPlan(input: PlanNode, options: UnpivotOptions): UnpivotNode {
  assertOptions(options, { columns: true, name: true, value: true }, "unpivot");
  const { columns, name = "name", value = "value" } = options;
  const names = namesOf([columns], input.fields, "unpivot()");
  const [first, ...others] = names.map((column) => fieldNamed(column, input.fields));
  if (first === undefined) throw new PawlError("data.argument", "unpivot() needs at least one column.");
  for (const other of others)
    if (typeText(other.type.notNull()) !== typeText(first.type.notNull()))
      throw new PawlError(
        "data.types",
        `unpivot() needs columns of one type, and ${quoted(first.name)} is ${typeText(first.type)}, ${quoted(other.name)} is ${typeText(other.type)}: cast one of them.`,
      );
  const kept = input.fields.filter((field) => !names.includes(field.name));
  for (const made of [name, value])
    if (kept.some((field) => field.name === made) || name === value)
      throw new PawlError(
        "data.column",
        `unpivot() makes a second column ${quoted(made)}: give it another name.`,
      );
  const isNullable = [first, ...others].some(({ type }) => type.isNullable);
  return {
    kind: "unpivot",
    input,
    columns: names,
    nameColumn: name,
    valueColumn: value,
    fields: [
      ...kept,
      { name, type: text() },
      { name: value, type: isNullable ? first.type.nullable() : first.type },
    ],
  };
}
