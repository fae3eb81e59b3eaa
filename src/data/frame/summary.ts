import { own, setOwn } from "../../own.ts";
import { aggregate, type BuiltExpression, count } from "../expr/expression.ts";
import { countType } from "../expr/functions.ts";
import type { NamedExpression } from "../expr/node.ts";
import type { PlanNode } from "../plan/node.ts";
import {
  type ColumnField,
  type ColumnType,
  float64,
  isNumber,
  isTemporal,
  text,
  typeText,
} from "../schema/column-type.ts";
import { groupPlan } from "./group-plan.ts";
import { columnNode, projected } from "./verbs.ts";

/** What `describe()` tells of each column. */
export interface SummarySchema {
  /** Its name. */
  readonly column: ColumnType<"text", string, false>;
  /** Its type, as a program writes it. */
  readonly type: ColumnType<"text", string, false>;
  /** How many values that are not null. */
  readonly count: ColumnType<"int64", number, false>;
  /** How many nulls. */
  readonly nulls: ColumnType<"int64", number, false>;
  /** How many values differ, estimated within some per cent; null of lists and structs. */
  readonly distinct: ColumnType<"int64", number, true>;
  /** Of numbers, as are the next ones. */
  readonly mean: ColumnType<"float64", number, true>;
  readonly std: ColumnType<"float64", number, true>;
  readonly min: ColumnType<"float64", number, true>;
  readonly q25: ColumnType<"float64", number, true>;
  readonly median: ColumnType<"float64", number, true>;
  readonly q75: ColumnType<"float64", number, true>;
  readonly max: ColumnType<"float64", number, true>;
  /** The first value in order, of texts, days and moments. */
  readonly least: ColumnType<"text", string, true>;
  /** The last value in order, of texts, days and moments. */
  readonly greatest: ColumnType<"text", string, true>;
  readonly [name: string]: ColumnType;
}

type Columns = Readonly<Record<string, BuiltExpression>>;

const STATISTICS = ["mean", "std", "min", "q25", "median", "q75", "max"] as const;

/** The plan of a row for each column: one aggregate over all rows, whose only row is then taken apart. */
export function summaryPlan(input: PlanNode): PlanNode {
  const { fields } = input;
  const all = groupPlan(input, [], (c: Columns) => {
    const made: Record<string, unknown> = { rows: count() };
    fields.forEach(({ name, type }, index) => {
      for (const [statistic, expression] of statisticsOf(own(c, name) as BuiltExpression, type))
        setOwn(made, `c${index} ${statistic}`, expression);
    });
    return made;
  });
  return {
    kind: "union",
    inputs: fields.map((field, index) => rowOf(all, field, `c${index}`)),
    fields: rowOf(all, fields[0] as ColumnField, "c0").fields.map(({ name, type }) => ({
      name,
      type: NEVER_NULL.has(name) ? type.notNull() : type.nullable(),
    })),
  };
}

const NEVER_NULL = new Set(["column", "type", "count", "nulls"]);

/** The statistics of a column, each with its name. */
function statisticsOf(column: BuiltExpression, { kind }: ColumnType): [string, unknown][] {
  const made: [string, unknown][] = [["count", aggregate("count", [column.node])]];
  if (isNumber(kind) || isTemporal(kind) || kind === "text" || kind === "bool" || kind === "uuid")
    made.push(["distinct", aggregate("approxCountDistinct", [column.node])]);
  if (isNumber(kind)) {
    const of = [column.cast(float64()).node];
    for (const name of ["mean", "std", "min", "median", "max"] as const)
      made.push([name, aggregate(name, of)]);
    made.push(["q25", aggregate("quantile", of, { options: { part: 0.25 } })]);
    made.push(["q75", aggregate("quantile", of, { options: { part: 0.75 } })]);
  } else if (isTemporal(kind) || kind === "text" || kind === "uuid") {
    made.push(["least", aggregate("min", [column.node]).cast(text())]);
    made.push(["greatest", aggregate("max", [column.node]).cast(text())]);
  }
  return made;
}

function rowOf(all: PlanNode, { name, type }: ColumnField, prefix: string): PlanNode {
  const has = new Set(all.fields.map((field) => field.name));
  const value = (statistic: string, ofType: ColumnType): NamedExpression => ({
    name: statistic,
    expression: has.has(`${prefix} ${statistic}`)
      ? columnNode(`${prefix} ${statistic}`, all.fields)
      : { kind: "literal", value: null, type: ofType.nullable() },
  });
  const constant = (column: string, of: string): NamedExpression => ({
    name: column,
    expression: { kind: "literal", value: of, type: text() },
  });
  const counted = columnNode(`${prefix} count`, all.fields);
  return projected(
    all,
    [
      constant("column", name),
      constant("type", typeText(type)),
      { name: "count", expression: counted },
      {
        name: "nulls",
        expression: {
          kind: "call",
          function: "sub",
          arguments: [columnNode("rows", all.fields), counted],
          type: countType(),
        },
      },
      value("distinct", countType()),
      ...STATISTICS.map((each) => value(each, float64())),
      value("least", text()),
      value("greatest", text()),
    ],
    "describe()",
  );
}
