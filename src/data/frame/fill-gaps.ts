import { assertOptions, quoted } from "../../arguments.ts";
import type { Duration } from "../../durations.ts";
import { PawlError } from "../../errors.ts";
import { own } from "../../own.ts";
import { fieldNamed } from "../expr/columns.ts";
import { aggregate, BuiltExpression, call } from "../expr/expression.ts";
import type { StepUnit } from "../expr/typed.ts";
import type { PlanNode } from "../plan/node.ts";
import { isTemporal, typeText } from "../schema/column-type.ts";
import { groupPlan } from "./group-plan.ts";
import { crossPlan, joinPlan } from "./join-plan.ts";
import { columnNamed, columnNode, namesOf, projected } from "./verbs.ts";

/** Which gaps are filled. */
export interface FillGapsOptions<C extends string = string, B extends string = string> {
  /** The column of days or moments that lie a step apart, such as one made by `timeBucket` or `trunc`. */
  readonly column: C;
  /** The step: a duration such as `"1h"`, or a month, quarter or year. */
  readonly every: Duration | StepUnit;
  /** Columns of which each combination gets a row for every step. @default none */
  readonly by?: B | readonly B[];
}

/** The plan of a row for every step from the first to the last, with nulls where there was none. */
export function fillGapsPlan(input: PlanNode, options: FillGapsOptions): PlanNode {
  assertOptions(options, { column: true, every: true, by: true }, "fillGaps");
  const { column, every, by = [] } = options;
  const { fields } = input;
  const { type } = fieldNamed(column, fields);
  if (!isTemporal(type.kind) || type.kind === "time")
    throw new PawlError(
      "data.types",
      `fillGaps() needs a column of days or moments, and ${quoted(column)} is ${typeText(type)}.`,
    );
  const keys = namesOf([by].flat(), fields, "fillGaps()");
  if (keys.includes(column))
    throw new PawlError("data.column", `fillGaps() has ${quoted(column)} both as its column and in by.`);
  const time = columnNode(column, fields);
  const ends = groupPlan(input, [], () => ({
    first: aggregate("min", [time]),
    last: aggregate("max", [time]),
  }));
  const [first, last] = ["first", "last"].map((name) => new BuiltExpression(columnNode(name, ends.fields)));
  const list = (first as BuiltExpression).stepsTo(last, every);
  const lists = projected(ends, [{ name: column, expression: list.node }], "fillGaps()");
  const steps: PlanNode = {
    kind: "explode",
    input: lists,
    column,
    keepEmpty: false,
    fields: [{ name: column, type: type.notNull() }],
  };
  const combinations: PlanNode | null =
    keys.length === 0
      ? null
      : distinctOf(
          projected(
            input,
            keys.map((name) => columnNamed(name, fields)),
            "fillGaps()",
          ),
        );
  const all = combinations === null ? steps : crossPlan(combinations, steps, {});
  // All rows stay, also those that lie on no step; only steps without a row are added. Nulls of `by` are one combination.
  const isSame = (left: Built, right: Built) =>
    keys.reduce(
      (same, name) => same.and(call("eqNull", [builtOf(left, name), builtOf(right, name)])),
      call("eq", [builtOf(left, column), builtOf(right, column)]),
    );
  const missing = joinPlan(all, input, isSame, { how: "anti" });
  const given = new Set([...keys, column]);
  const added = projected(
    missing,
    fields.map(({ name, type: own }) =>
      given.has(name)
        ? columnNamed(name, missing.fields)
        : { name, expression: { kind: "literal", value: null, type: own.nullable() } },
    ),
    "fillGaps()",
  );
  return {
    kind: "union",
    inputs: [input, added],
    fields: fields.map((field) =>
      given.has(field.name) ? field : { name: field.name, type: field.type.nullable() },
    ),
  };
}

type Built = Readonly<Record<string, BuiltExpression>>;

function builtOf(columns: Built, name: string): BuiltExpression {
  return own(columns, name) as BuiltExpression;
}

function distinctOf(input: PlanNode): PlanNode {
  return { kind: "distinct", input, on: null, orderBy: [], fields: input.fields };
}
