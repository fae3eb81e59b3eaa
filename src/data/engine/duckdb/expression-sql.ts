import { PawlError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import type { AggregateName, RankingName } from "../../expr/functions.ts";
import {
  type AggregateNode,
  childrenOf,
  type ExpressionNode,
  type LiteralNode,
  type RangeOffset,
  type SortKey,
  type WindowNode,
} from "../../expr/node.ts";
import type { ColumnType } from "../../schema/column-type.ts";
import { isFloat, isInteger } from "../../schema/column-type.ts";
import { castSql } from "./cast-sql.ts";
import { FUNCTION_SQL } from "./function-sql.ts";
import { quoteName, quoteText } from "./quote.ts";
import { duckdbType } from "./types.ts";

/** A call of one of DuckDB's aggregates, with the filter, order and window of the node; `test` is one more condition on the rows. */
type Apply = (name: string, args: readonly string[], test?: string) => string;

const NAN = "CAST('NaN' AS DOUBLE)";

/** A statistic of floating-point numbers: DuckDB fails at one that is infinite or NaN, where the statistic is NaN. */
function statistic(
  apply: Apply,
  name: string,
  args: readonly string[],
  node: AggregateNode,
  finish = (sql: string) => sql,
): string {
  const doubles = args.map((arg) => `CAST(${arg} AS DOUBLE)`);
  if (!node.arguments.some(({ type }) => isFloat(type.kind))) return finish(apply(name, doubles));
  const finite = doubles.map((arg) => `isfinite(${arg})`).join(" AND ");
  const isThere = args.map((arg) => `${arg} IS NOT NULL`).join(" AND ");
  return `CASE WHEN ${apply("bool_or", [`NOT (${finite})`], isThere)} THEN ${NAN} ELSE ${finish(apply(name, doubles, finite))} END`;
}

/** How each aggregate is said in DuckDB's SQL. */
const AGGREGATE_SQL: Readonly<
  Record<AggregateName, (apply: Apply, args: readonly string[], node: AggregateNode) => string>
> = {
  count: (apply, [one = "*"]) => apply("count", [one]),
  countIf: (apply, [one]) => apply("count", [`CASE WHEN ${one} THEN 1 END`]),
  countDistinct: (apply, [one]) => apply("count", [`DISTINCT ${one}`]),
  approxCountDistinct: (apply, args) => apply("approx_count_distinct", args),
  sum: (apply, [one], node) => apply("sum", [isFloat(node.type.kind) ? `CAST(${one} AS DOUBLE)` : `${one}`]),
  mean: (apply, args) => apply("avg", args),
  median: (apply, [one]) => apply("quantile_cont", [`CAST(${one} AS DOUBLE)`, "0.5"]),
  quantile: (apply, [one], node) => apply("quantile_cont", [`CAST(${one} AS DOUBLE)`, partOf(node)]),
  approxQuantile: (apply, [one], node) =>
    apply("approx_quantile", [`CAST(${one} AS DOUBLE)`, `CAST(${partOf(node)} AS FLOAT)`]),
  std: (apply, args, node) => statistic(apply, "stddev_samp", args, node),
  var: (apply, args, node) => statistic(apply, "var_samp", args, node),
  skewness: (apply, args, node) =>
    statistic(apply, "skewness", args, node, (sql) => `nullif(${sql}, ${NAN})`),
  kurtosis: (apply, args, node) => statistic(apply, "kurtosis", args, node),
  corr: (apply, args, node) => statistic(apply, "corr", args, node, (sql) => `nullif(${sql}, ${NAN})`),
  covar: (apply, args, node) => statistic(apply, "covar_samp", args, node),
  min: (apply, args) => apply("min", args),
  max: (apply, args) => apply("max", args),
  argMin: (apply, [x, y]) =>
    `${apply("min", [`{'y': ${y}, 'x': ${x}}`], `${y} IS NOT NULL AND ${x} IS NOT NULL`)}.x`,
  argMax: (apply, [x, y]) =>
    `${apply("max", [`{'y': ${y}, 'x': ${x}}`], `${y} IS NOT NULL AND ${x} IS NOT NULL`)}.x`,
  // For DuckDB's `mode` two NaN are not one value, and as texts they are; 0 is added so that -0 and 0 are one too.
  mode: (apply, [one], node) =>
    isFloat(node.type.kind)
      ? apply("mode", [`CAST((${one} + 0) AS VARCHAR) ORDER BY ${one}`])
      : apply("mode", [`${one} ORDER BY ${one}`]),
  every: (apply, args) => apply("bool_and", args),
  some: (apply, args) => apply("bool_or", args),
  any: (apply, args) => apply("any_value", args),
  first: (apply, args) => apply("first", args),
  last: (apply, args) => apply("last", args),
  list: (apply, args) => `coalesce(${apply("list", args)}, [])`,
};

const RANKING_SQL: Readonly<Record<RankingName, string>> = {
  rowNumber: "row_number",
  rank: "rank",
  denseRank: "dense_rank",
  percentRank: "percent_rank",
  ntile: "ntile",
  lag: "lag",
  lead: "lead",
};

function partOf({ options = {} }: AggregateNode): string {
  return `CAST('${String(new Map(Object.entries(options)).get("part") ?? 0.5)}' AS DOUBLE)`;
}

/** How a column of the input is written; a join gives its two inputs names. */
export type ColumnSql = (name: string, side: "left" | "right" | undefined) => string;

/** Levels of calls within calls: DuckDB's time to plan grows with the cube of them. */
const DEEPEST = 250;
/** Characters of one expression, which grow with every place where a part of it stands again. */
const LONGEST = 64 * 1024 * 1024;
/** Conditions in one row: of more, DuckDB gets a tree of rows, so that it is flat and not deep. */
const WIDEST = 500;

/** An expression in DuckDB's SQL. Throws PawlError("data.depth") for what DuckDB would not get to the end of. */
export function expressionSql(node: ExpressionNode, column: ColumnSql = quoteName): string {
  return new ExpressionWriter(column).write(node);
}

/** Keys of an order in SQL: nulls last, whatever the direction. */
export function orderSql(keys: readonly SortKey[], column: ColumnSql = quoteName): string {
  return orderOf(keys, (node) => expressionSql(node, column));
}

function orderOf(keys: readonly SortKey[], sqlOf: (node: ExpressionNode) => string): string {
  return keys
    .map(({ by, descending }) => `${sqlOf(by)} ${descending ? "DESC" : "ASC"} NULLS LAST`)
    .join(", ");
}

/** Writes expressions from their leaves up: nothing here calls itself, so that a chain may be as long as memory holds. */
class ExpressionWriter {
  readonly #column: ColumnSql;
  readonly #done = new Map<ExpressionNode, { readonly sql: string; readonly depth: number }>();

  constructor(column: ColumnSql) {
    this.#column = column;
  }

  write(node: ExpressionNode): string {
    const open: ExpressionNode[] = [node];
    for (let next = open.at(-1); next !== undefined; next = open.at(-1)) {
      const missing = this.#done.has(next) ? [] : partsOf(next).filter((part) => !this.#done.has(part));
      if (missing.length > 0) {
        for (const part of missing) open.push(part);
        continue;
      }
      open.pop();
      if (!this.#done.has(next)) this.#finish(next);
    }
    return this.#sql(node);
  }

  #sql(node: ExpressionNode): string {
    return this.#done.get(node)?.sql ?? "";
  }

  #finish(node: ExpressionNode): void {
    const depth =
      1 + partsOf(node).reduce((most, part) => Math.max(most, this.#done.get(part)?.depth ?? 0), 0);
    const sql = depth > DEEPEST ? "" : this.#written(node);
    if (depth > DEEPEST || sql.length > LONGEST)
      throw new PawlError(
        "data.depth",
        `An expression is ${depth > DEEPEST ? `more than ${DEEPEST} calls deep` : "longer than 64 MB as SQL"}, which DuckDB would plan for minutes: split it into columns with with(), or use in(), map() or a join for many values.`,
      );
    this.#done.set(node, { sql, depth });
  }

  #written(node: ExpressionNode): string {
    const inner = (child: ExpressionNode) => this.#sql(child);
    switch (node.kind) {
      case "column":
        return this.#column(node.name, node.side);
      case "literal":
        return literalSql(node.value, node.type);
      case "call":
        return node.function === "and" || node.function === "or"
          ? conditions(partsOf(node).map(inner), node.function === "and" ? " AND " : " OR ")
          : FUNCTION_SQL[node.function](node.arguments.map(inner), node);
      case "cast":
        return castSql(node, inner(node.of));
      case "case":
        return `CASE ${node.branches.map(({ when, then }) => `WHEN ${inner(when)} THEN ${inResult(inner(then), node.type)}`).join(" ")} ELSE ${inResult(inner(node.otherwise), node.type)} END`;
      case "aggregate":
        return `CAST(${this.#aggregate(node, "")} AS ${duckdbType(node.type)})`;
      case "window":
        return this.#window(node);
      case "sql":
        return `CAST((${node.parts.reduce((text, part, index) => `${text}${inner(node.arguments[index - 1] as ExpressionNode)}${part}`)}) AS ${duckdbType(node.type)})`;
    }
  }

  #aggregate(node: AggregateNode, over: string): string {
    const apply: Apply = (name, args, test) => {
      const order = node.orderBy.length === 0 ? "" : ` ORDER BY ${this.#order(node.orderBy)}`;
      const tests = [
        ...(node.where === null ? [] : [this.#sql(node.where)]),
        ...(test === undefined ? [] : [test]),
      ];
      const filter = tests.length === 0 ? "" : ` FILTER (WHERE ${tests.join(" AND ")})`;
      return `${name}(${args.join(", ")}${order})${filter}${over}`;
    };
    return AGGREGATE_SQL[node.function](
      apply,
      node.arguments.map((arg) => this.#sql(arg)),
      node,
    );
  }

  #order(keys: readonly SortKey[]): string {
    return orderOf(keys, (by) => this.#sql(by));
  }

  #window({ of, partitionBy, orderBy, rows, range, type }: WindowNode): string {
    const parts = [
      partitionBy.length === 0 ? "" : `PARTITION BY ${partitionBy.map((by) => this.#sql(by)).join(", ")}`,
      orderBy.length === 0 ? "" : `ORDER BY ${this.#order(orderBy)}`,
      rows === undefined
        ? ""
        : `ROWS BETWEEN ${rowsEnd(rows[0], "PRECEDING")} AND ${rowsEnd(rows[1], "FOLLOWING")}`,
      range === undefined
        ? ""
        : `RANGE BETWEEN ${rangeEnd(range[0], "PRECEDING")} AND ${rangeEnd(range[1], "FOLLOWING")}`,
    ];
    const over = ` OVER (${parts.filter((part) => part !== "").join(" ")})`;
    const value =
      of.kind === "aggregate"
        ? this.#aggregate(of, over)
        : `${RANKING_SQL[of.function]}(${of.arguments.map((arg) => this.#sql(arg)).join(", ")})${over}`;
    return `CAST(${value} AS ${duckdbType(type)})`;
  }
}

/** What must be written before a node: its children, or, of a chain of `and` or `or`, all of its conditions. */
function partsOf(node: ExpressionNode): readonly ExpressionNode[] {
  if (node.kind !== "call" || (node.function !== "and" && node.function !== "or")) return childrenOf(node);
  const parts: ExpressionNode[] = [];
  const open: ExpressionNode[] = [...node.arguments].reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.kind === "call" && next.function === node.function)
      for (let index = next.arguments.length - 1; index >= 0; index--)
        open.push(next.arguments[index] as ExpressionNode);
    else parts.push(next);
  }
  return parts;
}

function conditions(parts: readonly string[], operator: string): string {
  let level = parts;
  while (level.length > WIDEST) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += WIDEST)
      next.push(`(${level.slice(at, at + WIDEST).join(operator)})`);
    level = next;
  }
  return `(${level.join(operator)})`;
}

/** Values of decimals in one choice have the digits of all of them. */
function inResult(sql: string, type: ColumnType): string {
  return type.kind === "decimal" ? `CAST(${sql} AS ${duckdbType(type)})` : sql;
}

function rowsEnd(rows: number | null, end: "PRECEDING" | "FOLLOWING"): string {
  if (rows === null) return `UNBOUNDED ${end}`;
  if (rows === 0) return "CURRENT ROW";
  return rows < 0 ? `${-rows} PRECEDING` : `${rows} FOLLOWING`;
}

function rangeEnd(offset: RangeOffset | null, end: "PRECEDING" | "FOLLOWING"): string {
  if (offset === null || typeof offset === "number") return rowsEnd(offset, end);
  const { months, days, microseconds } = offset;
  const isBefore = months + days + microseconds < 0;
  const sign = isBefore ? -1 : 1;
  if (months === 0 && days === 0 && microseconds === 0) return "CURRENT ROW";
  return `(to_months(${months * sign}) + to_days(${days * sign}) + to_microseconds(${microseconds * sign})) ${isBefore ? "PRECEDING" : "FOLLOWING"}`;
}

/** A literal in SQL, whatever is in it. */
function literalSql(value: LiteralNode["value"], type: ColumnType): string {
  const { kind } = type;
  const name = duckdbType(type);
  if (value === null) return `CAST(NULL AS ${name})`;
  if (kind === "bool") return value === true ? "true" : "false";
  if (isInteger(kind)) return `CAST(${BigInt(value)} AS ${name})`;
  if (kind === "text") return quoteText(String(value));
  if (kind === "bytes") return `from_base64(${quoteText(String(value))})`;
  if (kind === "list" && type.of !== undefined) {
    const { of } = type;
    const elements = JSON.parse(String(value)) as readonly LiteralNode["value"][];
    return `CAST([${elements.map((each) => nestedSql(each, of)).join(", ")}] AS ${name})`;
  }
  if (kind === "struct" && type.fields !== undefined) {
    const values = JSON.parse(String(value)) as Readonly<Record<string, LiteralNode["value"]>>;
    const fields = type.fields.map(
      (field) => `${quoteText(field.name)}: ${nestedSql(own(values, field.name) ?? null, field.type)}`,
    );
    return `CAST({${fields.join(", ")}} AS ${name})`;
  }
  // A number as text is read to its nearest value; as a number DuckDB would make a decimal of it first.
  return `CAST(${quoteText(String(value))} AS ${name})`;
}

/** A value within a list or struct: what stands by itself as JSON stands in there as it is. */
function nestedSql(value: LiteralNode["value"], type: ColumnType): string {
  const isJson = type.kind === "list" || type.kind === "struct" || type.kind === "json";
  return literalSql(isJson && value !== null ? JSON.stringify(value) : value, type);
}
