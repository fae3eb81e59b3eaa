import type { AggregateName, FunctionName, RankingName } from "../../expr/functions.ts";
import type {
  AggregateNode,
  CallNode,
  ExpressionNode,
  LiteralNode,
  RankingNode,
  SortKey,
  WindowNode,
} from "../../expr/node.ts";
import { isFloat, isInteger } from "../../schema/column-type.ts";
import { quoteName, quoteText } from "./quote.ts";
import { duckdbType } from "./types.ts";

type Translate = (args: readonly string[], node: CallNode) => string;

const infix =
  (operator: string): Translate =>
  (args) =>
    `(${args.join(` ${operator} `)})`;
const named =
  (name: string): Translate =>
  (args) =>
    `${name}(${args.join(", ")})`;

/** Arithmetic in the type of the result, so that whole numbers overflow as int64 and not as what the columns are. */
const arithmetic =
  (operator: string): Translate =>
  (args, node) =>
    `(${args.map((arg) => `CAST(${arg} AS ${duckdbType(node.type)})`).join(` ${operator} `)})`;

/** How each function is said in DuckDB's SQL, with the meaning that `expr/functions.ts` gives it. */
const FUNCTION_SQL: Readonly<Record<FunctionName, Translate>> = {
  eq: infix("="),
  ne: infix("<>"),
  lt: infix("<"),
  le: infix("<="),
  gt: infix(">"),
  ge: infix(">="),
  in: ([first, ...others]) =>
    others.length === 0 ? `(${first} IS NULL AND NULL)` : `(${first} IN (${others.join(", ")}))`,
  and: infix("AND"),
  or: infix("OR"),
  not: ([one]) => `(NOT ${one})`,
  isNull: ([one]) => `(${one} IS NULL)`,
  coalesce: named("coalesce"),
  add: arithmetic("+"),
  subtract: arithmetic("-"),
  multiply: arithmetic("*"),
  divide: ([a, b]) => `(CAST(${a} AS DOUBLE) / nullif(CAST(${b} AS DOUBLE), 0))`,
  remainder: ([a, b], node) =>
    `(CAST(${a} AS ${duckdbType(node.type)}) % nullif(CAST(${b} AS ${duckdbType(node.type)}), 0))`,
  negate: ([one], node) => `(-CAST(${one} AS ${duckdbType(node.type)}))`,
  lower: named("lower"),
  length: named("length"),
};

const AGGREGATE_SQL: Readonly<
  Record<AggregateName, (args: readonly string[], node: AggregateNode) => string>
> = {
  count: ([one]) => (one === undefined ? "count(*)" : `count(${one})`),
  sum: ([one]) => `sum(${one})`,
  mean: ([one]) => `avg(${one})`,
  std: ([one]) => `stddev_samp(${one})`,
  min: ([one]) => `min(${one})`,
  max: ([one]) => `max(${one})`,
};

const RANKING_SQL: Readonly<Record<RankingName, (args: readonly string[]) => string>> = {
  rowNumber: () => "row_number()",
  rank: () => "rank()",
  lag: (args) => `lag(${args.join(", ")})`,
  lead: (args) => `lead(${args.join(", ")})`,
};

/** How a column of the input is written; a join gives its two inputs names. */
export type ColumnSql = (name: string, side: "left" | "right" | undefined) => string;

/** An expression in DuckDB's SQL. */
export function expressionSql(node: ExpressionNode, column: ColumnSql = quoteName): string {
  const inner = (child: ExpressionNode) => expressionSql(child, column);
  switch (node.kind) {
    case "column":
      return column(node.name, node.side);
    case "literal":
      return literalSql(node);
    case "call":
      return FUNCTION_SQL[node.function](node.arguments.map(inner), node);
    case "cast":
      return castSql(node, inner(node.of));
    case "case":
      return `CASE ${node.branches.map(({ when, then }) => `WHEN ${inner(when)} THEN ${inner(then)}`).join(" ")} ELSE ${inner(node.otherwise)} END`;
    case "aggregate":
      return `CAST(${aggregateSql(node, column)} AS ${duckdbType(node.type)})`;
    case "window":
      return windowSql(node, column);
    case "sql":
      return `CAST((${node.parts.reduce((text, part, index) => `${text}${inner(node.arguments[index - 1] as ExpressionNode)}${part}`)}) AS ${duckdbType(node.type)})`;
  }
}

/** Keys of an order in SQL: nulls last, whatever the direction. */
export function orderSql(keys: readonly SortKey[], column: ColumnSql = quoteName): string {
  return keys
    .map(({ by, descending }) => `${expressionSql(by, column)} ${descending ? "DESC" : "ASC"} NULLS LAST`)
    .join(", ");
}

function aggregateSql(node: AggregateNode, column: ColumnSql): string {
  const call = AGGREGATE_SQL[node.function](
    node.arguments.map((arg) => expressionSql(arg, column)),
    node,
  );
  const order = node.orderBy.length === 0 ? "" : ` ORDER BY ${orderSql(node.orderBy, column)}`;
  const where = node.where === null ? "" : ` FILTER (WHERE ${expressionSql(node.where, column)})`;
  return `${order === "" ? call : `${call.slice(0, -1)}${order})`}${where}`;
}

function windowSql(node: WindowNode, column: ColumnSql): string {
  const inner = (child: ExpressionNode) => expressionSql(child, column);
  const of = node.of.kind === "aggregate" ? aggregateSql(node.of, column) : rankingSql(node.of, column);
  const partition =
    node.partitionBy.length === 0 ? "" : `PARTITION BY ${node.partitionBy.map(inner).join(", ")}`;
  const order = node.orderBy.length === 0 ? "" : `ORDER BY ${orderSql(node.orderBy, column)}`;
  const rows =
    node.rows === undefined
      ? ""
      : `ROWS BETWEEN ${bound(node.rows[0], "PRECEDING")} AND ${bound(node.rows[1], "FOLLOWING")}`;
  return `CAST(${of} OVER (${[partition, order, rows].filter((part) => part !== "").join(" ")}) AS ${duckdbType(node.type)})`;
}

function rankingSql(node: RankingNode, column: ColumnSql): string {
  return RANKING_SQL[node.function](node.arguments.map((arg) => expressionSql(arg, column)));
}

function bound(rows: number | null, end: "PRECEDING" | "FOLLOWING"): string {
  if (rows === null) return `UNBOUNDED ${end}`;
  if (rows === 0) return "CURRENT ROW";
  return rows < 0 ? `${-rows} PRECEDING` : `${rows} FOLLOWING`;
}

function castSql({ of, checked, type }: Extract<ExpressionNode, { kind: "cast" }>, sql: string): string {
  const name = duckdbType(type);
  const cast = checked ? "CAST" : "TRY_CAST";
  // DuckDB rounds texts such as '1.6' to whole numbers, which would change a value in silence.
  if (isInteger(type.kind) && of.type.kind === "text") {
    const whole = `regexp_full_match(${sql}, '\\s*[+-]?[0-9]+\\s*')`;
    const otherwise = checked ? `error('cannot cast ' || ${sql} || ' to ${type.kind}')` : "NULL";
    return `CASE WHEN ${whole} OR ${sql} IS NULL THEN ${cast}(${sql} AS ${name}) ELSE ${otherwise} END`;
  }
  return `${cast}(${sql} AS ${name})`;
}

function literalSql({ value, type }: LiteralNode): string {
  if (value === null) return `CAST(NULL AS ${duckdbType(type)})`;
  if (type.kind === "bool") return value === true ? "true" : "false";
  if (isInteger(type.kind) && typeof value === "number") return `CAST(${value} AS ${duckdbType(type)})`;
  if (isFloat(type.kind) && typeof value === "number") return `CAST(${value} AS ${duckdbType(type)})`;
  if (type.kind === "text") return quoteText(String(value));
  if (type.kind === "bytes") return `from_base64(${quoteText(String(value))})`;
  return `CAST(${quoteText(String(value))} AS ${duckdbType(type)})`;
}
