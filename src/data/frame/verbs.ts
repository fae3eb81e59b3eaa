/** What the verbs of frames have in common: columns taken from what the program gives, checked once. */
import { assertObject, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { columnsProxy, fieldNamed } from "../expr/columns.ts";
import { BuiltExpression, nodeOf, type Order, type OrderLike, sortKeys } from "../expr/expression.ts";
import {
  type ExpressionNode,
  hasWindow,
  isAggregate,
  type NamedExpression,
  type SortKey,
} from "../expr/node.ts";
import type { PlanNode, ProjectNode } from "../plan/node.ts";
import { type ColumnField, typeText } from "../schema/column-type.ts";

/** A column of the input under its own name. */
export function columnNamed(name: string, fields: readonly ColumnField[]): NamedExpression {
  return { name, expression: columnNode(name, fields) };
}

/** A column of the input. Throws PawlError("data.column") where there is none of that name. */
export function columnNode(name: string, fields: readonly ColumnField[]): ExpressionNode {
  return { kind: "column", name, type: fieldNamed(name, fields).type };
}

/** The fields of named expressions. */
export function fieldsOfColumns(columns: readonly NamedExpression[]): readonly ColumnField[] {
  return columns.map(({ name, expression }) => ({ name, type: expression.type }));
}

/** These columns of an input. */
export function projected(input: PlanNode, columns: readonly NamedExpression[], verb: string): ProjectNode {
  if (columns.length === 0)
    throw new PawlError("data.column", `${verb} leaves no column: a frame has at least one.`);
  return { kind: "project", input, columns, fields: fieldsOfColumns(columns) };
}

/** Whether what a verb was given is its callback. */
export function isCallback(given: unknown): given is (columns: unknown, right: unknown) => unknown {
  return typeof given === "function";
}

/** What a callback makes of columns: named expressions of single rows, in the order in which they were written. */
export function namedOf(made: unknown, verb: string): readonly NamedExpression[] {
  if (made instanceof BuiltExpression || Array.isArray(made))
    throw new PawlError(
      "data.argument",
      `${verb} needs an object with a name for each column, such as { total: c.a.add(c.b) }.`,
    );
  assertObject(made, `What ${verb} is given`);
  refuseNumberNames(made, verb);
  return Object.entries(made).map(([name, value]) => ({ name, expression: nodeOf(value) }));
}

/** JavaScript puts properties such as `2024` before all others, so that the order of the columns would not be what was written. */
function refuseNumberNames(made: object, verb: string): void {
  const names = Object.keys(made);
  const numbers = names.filter((name) => /^(0|[1-9]\d{0,9})$/.test(name));
  if (numbers.length === 0 || names.length === 1 || numbers.length === names.length) return;
  throw new PawlError(
    "data.column",
    `${verb} names a column ${quoted(numbers[0])} beside others: JavaScript would put it first. Give it another name, and rename() it afterwards.`,
  );
}

/** Throws where one of the expressions has a value for many rows. */
export function refuseAggregates(columns: readonly NamedExpression[], verb: string): void {
  for (const { expression } of columns) refuseAggregate(expression, verb);
}

/** Throws where an expression has one value for many rows. */
function refuseAggregate(node: ExpressionNode, verb: string): void {
  if (isAggregate(node))
    throw new PawlError(
      "data.aggregate",
      `${verb} works row by row, and an aggregate has one value for many rows: give it a window with over(), or use groupBy().agg().`,
    );
}

/** Throws where an expression looks at rows around it, which the verb cannot. */
export function refuseWindow(node: ExpressionNode, verb: string): void {
  if (hasWindow(node))
    throw new PawlError(
      "data.window",
      `${verb} cannot take a window: make it a column with with(), and use that column.`,
    );
}

/** The condition that a callback gives. */
export function conditionOf(made: unknown, verb: string): ExpressionNode {
  const where = nodeOf(made);
  if (where.type.kind !== "bool")
    throw new PawlError(
      "data.types",
      `${verb} needs a condition such as c.amount.gt(100), not a value of ${typeText(where.type)}.`,
    );
  refuseAggregate(where, verb);
  refuseWindow(where, verb);
  return where;
}

/** Names of columns, as separate arguments or as an array; each must be one, and none may come twice. */
export function namesOf(
  given: readonly unknown[],
  fields: readonly ColumnField[],
  verb: string,
): readonly string[] {
  const names = given.length === 1 && Array.isArray(given[0]) ? (given[0] as readonly unknown[]) : given;
  const seen = new Set<string>();
  for (const name of names) {
    if (typeof name !== "string")
      throw new PawlError("data.argument", `${verb} needs names of columns, not ${shown(name)}.`);
    fieldNamed(name, fields);
    if (seen.has(name))
      throw new PawlError("data.column", `${verb} is given the column ${quoted(name)} twice.`);
    seen.add(name);
  }
  return [...names] as string[];
}

/** An order as verbs take it: a name, names, an object of names and directions, or a callback. */
export function orderOf(
  given: unknown,
  input: PlanNode,
  verb: string,
  descending = false,
): readonly SortKey[] {
  const { fields } = input;
  if (isCallback(given)) {
    const made = given(columnsProxy(fields), undefined) as OrderLike | readonly OrderLike[];
    const keys = sortKeys(made, verb).map((key) =>
      descending && !isOrder(made) ? { ...key, descending } : key,
    );
    for (const { by } of keys) refuseAggregate(by, verb);
    return atLeastOne(keys, verb);
  }
  if (typeof given === "string" || Array.isArray(given))
    return atLeastOne(
      namesOf(Array.isArray(given) ? given : [given], fields, verb).map((name) => ({
        by: columnNode(name, fields),
        descending,
      })),
      verb,
    );
  assertObject(given, `The order that ${verb} is given`);
  refuseNumberNames(given, verb);
  return atLeastOne(
    Object.entries(given).map(([name, direction]: [string, unknown]) => {
      const by = columnNode(name, fields);
      if (direction === "asc" || direction === "desc") return { by, descending: direction === "desc" };
      throw new PawlError(
        "data.argument",
        `${verb} sorts the column ${quoted(name)} "asc" or "desc", not ${quoted(direction)}: ${suggest(String(direction), ["asc", "desc"], "choose one.")}`,
      );
    }),
    verb,
  );
}

function isOrder(made: unknown): made is Order {
  return !(made instanceof BuiltExpression) && !Array.isArray(made);
}

function atLeastOne(keys: readonly SortKey[], verb: string): readonly SortKey[] {
  if (keys.length === 0) throw new PawlError("data.argument", `${verb} needs at least one column.`);
  return keys;
}

/** A whole number of rows. */
export function rowsOf(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new PawlError("data.argument", `${what} must be a whole number of rows from 0, not ${shown(value)}.`);
}
