import { PawlError } from "../../../errors.ts";
import type {
  AggregatePlanNode,
  AsofNode,
  DistinctNode,
  ExplodeNode,
  JoinNode,
  PlanNode,
  SampleNode,
  SqlPlanNode,
  UnpivotNode,
  ValuesNode,
} from "../../plan/node.ts";
import { rowIdentity } from "../../plan/row-identity.ts";
import { nodesOf, usesOf } from "../../plan/walk.ts";
import type { ColumnField, ColumnType } from "../../schema/column-type.ts";
import { type ColumnSql, expressionSql, orderSql } from "./expression-sql.ts";
import { sqlName } from "./names.ts";
import { quoteName, quoteText } from "./quote.ts";
import { scanSql } from "./scan-sql.ts";
import { duckdbType } from "./types.ts";

/**
 * A plan as a query in DuckDB's SQL: a common table expression for each node, so that its length grows with the number of nodes and a node
 * that is used twice stands in it once. Its columns are those of the plan, in their order.
 */
export function planSql(plan: PlanNode): string {
  const nodes = nodesOf(plan);
  const uses = usesOf(plan);
  const names = new Map(nodes.map((node, index) => [node, `n${index}`]));
  const from = (node: PlanNode) => names.get(node) as string;
  if (nodes.length === 1) return nodeSql(plan, from);
  // A query of the program may begin with tables of its own, which cannot stand after ours.
  const last = plan.kind === "sql" ? nodes.length : nodes.length - 1;
  const tables = nodes.slice(0, last).map((node) => {
    const shared = (uses.get(node) ?? 0) > 1 && !isCheap(node);
    return `${from(node)} AS ${shared ? "MATERIALIZED" : "NOT MATERIALIZED"} (${nodeSql(node, from)})`;
  });
  return `WITH ${tables.join(",\n")}\n${plan.kind === "sql" ? `SELECT * FROM ${from(plan)}` : nodeSql(plan, from)}`;
}

/**
 * Whether a node that several others read is better read again by each than kept: where only rows of local Parquet stream through
 * filters and columns. What else is used twice is worked out once and kept, which DuckDB spills to disk.
 */
function isCheap(plan: PlanNode): boolean {
  let node = plan;
  while (node.kind === "filter" || node.kind === "project") node = node.input;
  return node.kind === "values" || (node.kind === "scan" && node.bad !== "quarantine");
}

/** What a node reads from: the name of its input's table. */
type From = (node: PlanNode) => string;

function nodeSql(node: PlanNode, from: From): string {
  switch (node.kind) {
    case "scan":
      return scanSql(node);
    case "values":
      return valuesSql(node);
    case "filter":
      return `SELECT ${columnsSql(node.fields)} FROM ${from(node.input)} AS t WHERE ${expressionSql(node.where, columnsOf(node.input))}`;
    case "project": {
      const column = columnsOf(node.input);
      return `SELECT ${listSql(node.columns.map(({ name, expression }) => `${expressionSql(expression, column)} AS ${sqlName(name, node.fields)}`))} FROM ${from(node.input)} AS t`;
    }
    case "group":
      return groupSql(node, from);
    case "join":
      return joinSql(node, from);
    case "asof":
      return asofSql(node, from);
    case "sort": {
      const limit = node.limit === null ? "" : ` LIMIT ${node.limit}`;
      return `SELECT ${columnsSql(node.fields)} FROM ${from(node.input)} AS t ORDER BY ${orderSql(node.keys, columnsOf(node.input))}${limit}`;
    }
    case "limit":
      return `SELECT ${columnsSql(node.fields)} FROM ${from(node.input)} AS t LIMIT ${node.count}${node.offset === 0 ? "" : ` OFFSET ${node.offset}`}`;
    case "distinct":
      return distinctSql(node, from);
    case "union":
      return node.inputs
        .map(
          (input) =>
            `SELECT ${listSql(node.fields.map(({ name }) => `t.${sqlName(name, input.fields)} AS ${sqlName(name, node.fields)}`))} FROM ${from(input)} AS t`,
        )
        .join(" UNION ALL ");
    case "unpivot":
      return unpivotSql(node, from);
    case "explode":
      return explodeSql(node, from);
    case "sample":
      return sampleSql(node, from);
    case "sql":
      return sqlSql(node, from);
    case "table":
    case "staged":
      throw new PawlError(
        "data.sql",
        `${node.kind === "table" ? `The table ${node.table}` : node.name} is read into files before the engine runs, so that there is no SQL for it.`,
      );
  }
}

/** Columns of the one input of a node. */
function columnsOf(input: PlanNode): ColumnSql {
  return (name) => `t.${sqlName(name, input.fields)}`;
}

/** The columns of a node that are those of its input. */
function columnsSql(fields: readonly ColumnField[]): string {
  return listSql(fields.map(({ name }) => `t.${sqlName(name, fields)}`));
}

/** A list of columns. Where only the number of rows matters there are none, which SQL has no words for. */
function listSql(columns: readonly string[]): string {
  return columns.length === 0 ? 'true AS " row"' : columns.join(", ");
}

function valuesSql({ fields, rows }: ValuesNode): string {
  const names = fields.map(({ name }) => sqlName(name, fields)).join(", ");
  const typed = (row: readonly (string | number | boolean | null)[]) =>
    `(${row.map((value, index) => expressionSql({ kind: "literal", value, type: typeAt(fields, index) })).join(", ")})`;
  if (rows.length > 0) return `SELECT * FROM (VALUES ${rows.map(typed).join(", ")}) AS given(${names})`;
  return `SELECT ${fields.map(({ name, type }) => `CAST(NULL AS ${duckdbType(type)}) AS ${sqlName(name, fields)}`).join(", ")} WHERE false`;
}

function typeAt(fields: readonly ColumnField[], index: number): ColumnType {
  return (fields[index] as ColumnField).type;
}

function groupSql({ input, keys, aggregates, fields }: AggregatePlanNode, from: From): string {
  const column = columnsOf(input);
  const columns = [...keys, ...aggregates].map(
    ({ name, expression }) => `${expressionSql(expression, column)} AS ${sqlName(name, fields)}`,
  );
  // By their place, since a key that is a whole number would be taken for one.
  const groupBy = keys.length === 0 ? "" : ` GROUP BY ${keys.map((_, index) => index + 1).join(", ")}`;
  return `SELECT ${columns.join(", ")} FROM ${from(input)} AS t${groupBy}`;
}

const JOINS: Readonly<Record<JoinNode["how"], string>> = {
  inner: "INNER JOIN",
  left: "LEFT JOIN",
  right: "RIGHT JOIN",
  full: "FULL JOIN",
  semi: "SEMI JOIN",
  anti: "ANTI JOIN",
  cross: "CROSS JOIN",
};

function joinSql({ left, right, how, on, condition, columns, fields }: JoinNode, from: From): string {
  const column = columnsOfTwo(left, right);
  const conditions = on.map((pair) => `${column(pair.left, "left")} = ${column(pair.right, "right")}`);
  if (condition !== null) conditions.push(expressionSql(condition, column));
  const onSql = how === "cross" ? "" : ` ON ${conditions.length === 0 ? "true" : conditions.join(" AND ")}`;
  return `SELECT ${joinedColumns(columns, fields, column)} FROM ${from(left)} AS l ${JOINS[how]} ${from(right)} AS r${onSql}`;
}

function columnsOfTwo(left: PlanNode, right: PlanNode): ColumnSql {
  return (name, side) =>
    side === "right" ? `r.${sqlName(name, right.fields)}` : `l.${sqlName(name, left.fields)}`;
}

function joinedColumns(
  columns: JoinNode["columns"],
  fields: readonly ColumnField[],
  column: ColumnSql,
): string {
  return listSql(
    columns.map(({ name, from, column: source, right }) => {
      const value =
        from === "either"
          ? `coalesce(${column(source, "left")}, ${column(right ?? source, "right")})`
          : column(source, from);
      return `${value} AS ${sqlName(name, fields)}`;
    }),
  );
}

function asofSql({ left, right, on, by, direction, columns, fields }: AsofNode, from: From): string {
  const column = columnsOfTwo(left, right);
  const conditions = by.map((pair) => `${column(pair.left, "left")} = ${column(pair.right, "right")}`);
  conditions.push(
    `${column(on.left, "left")} ${direction === "backward" ? ">=" : "<="} ${column(on.right, "right")}`,
  );
  return `SELECT ${joinedColumns(columns, fields, column)} FROM ${from(left)} AS l ASOF LEFT JOIN ${from(right)} AS r ON ${conditions.join(" AND ")}`;
}

function distinctSql({ input, on, orderBy, fields }: DistinctNode, from: From): string {
  if (on === null) return `SELECT DISTINCT ${columnsSql(fields)} FROM ${from(input)} AS t`;
  const column = columnsOf(input);
  const order = orderBy.length === 0 ? "" : ` ORDER BY ${orderSql(orderBy, column)}`;
  return `SELECT DISTINCT ON (${on.map((name) => column(name, undefined)).join(", ")}) ${columnsSql(fields)} FROM ${from(input)} AS t${order}`;
}

function unpivotSql({ input, columns, nameColumn, valueColumn, fields }: UnpivotNode, from: From): string {
  const column = columnsOf(input);
  const type = duckdbType((fields.find(({ name }) => name === valueColumn) as ColumnField).type);
  const select = fields.map(({ name }) => {
    const value =
      name === nameColumn
        ? `unnest([${columns.map(quoteText).join(", ")}])`
        : name === valueColumn
          ? `unnest([${columns.map((each) => `CAST(${column(each, undefined)} AS ${type})`).join(", ")}])`
          : column(name, undefined);
    return `${value} AS ${sqlName(name, fields)}`;
  });
  return `SELECT ${select.join(", ")} FROM ${from(input)} AS t`;
}

function explodeSql({ input, column: name, keepEmpty, fields }: ExplodeNode, from: From): string {
  const column = columnsOf(input);
  const list = column(name, undefined);
  const of = keepEmpty ? `CASE WHEN len(${list}) > 0 THEN ${list} ELSE [NULL] END` : list;
  const select = fields.map(
    (field) =>
      `${field.name === name ? `unnest(${of})` : column(field.name, undefined)} AS ${sqlName(field.name, fields)}`,
  );
  return `SELECT ${select.join(", ")} FROM ${from(input)} AS t`;
}

/**
 * A draw by a hash of what a row is, so that it depends on no thread: of its place where the input has an order, of its key where it has one, and
 * otherwise of its content and which of the rows with equal content it is.
 */
function sampleSql(node: SampleNode, from: From): string {
  const { input, fraction, rows, seed } = node;
  const column = columnsOf(input);
  const identity = rowIdentity(input);
  const names = input.fields.map(({ name }) => column(name, undefined));
  const keys = identity.by === "key" ? identity.columns.map((name) => column(name, undefined)) : names;
  const of =
    identity.by === "place"
      ? "row_number() OVER ()"
      : identity.by === "key"
        ? keys.join(", ")
        : `${[...names, `row_number() OVER (PARTITION BY ${names.join(", ")})`].join(", ")}`;
  // What is hashed with the seed is hashed again, since the draws of two seeds would otherwise not be independent.
  const drawn = `hash(xor(hash(${of}), ${seedSql(seed)}))`;
  const inner = `SELECT ${columnsSql(input.fields)}, ${drawn} AS " drawn" FROM ${from(input)} AS t`;
  const end =
    fraction === null
      ? `ORDER BY t." drawn" LIMIT ${rows ?? 0}`
      : fraction >= 1
        ? ""
        : `WHERE t." drawn" < ${BigInt(Math.floor(fraction * 2 ** 53)) * 2n ** 11n}::UBIGINT`;
  return `SELECT ${columnsSql(input.fields)} FROM (${inner}) AS t ${end}`;
}

function seedSql(seed: number): string {
  return `${BigInt.asUintN(64, (BigInt(Math.trunc(seed)) + 1n) * 0x9e3779b97f4a7c15n)}::UBIGINT`;
}

function sqlSql({ inputs, text, fields }: SqlPlanNode, from: From): string {
  const tables = inputs.map(
    ({ name, plan }) =>
      `${quoteName(name)} AS NOT MATERIALIZED (SELECT ${columnsSql(plan.fields)} FROM ${from(plan)} AS t)`,
  );
  const head = tables.length === 0 ? "" : `WITH ${tables.join(", ")} `;
  // The text stands on lines of its own, so that a comment at its end ends with it.
  if (fields.length === 0) return `${head}SELECT * FROM (\n${text}\n) AS t`;
  const columns = fields.map((_, index) => `c${index}`);
  const select = fields.map(({ name, type }, index) => {
    const column = `t.c${index}`;
    const value = `CAST(${column} AS ${duckdbType(type)})`;
    const refusal = quoteText(
      `The column ${JSON.stringify(name)} of sql() holds a null: declare it .nullable().`,
    );
    const checked = type.isNullable
      ? value
      : `CASE WHEN ${column} IS NULL THEN error(${refusal}) ELSE ${value} END`;
    return `${checked} AS ${sqlName(name, fields)}`;
  });
  return `${head}SELECT ${select.join(", ")} FROM (\n${text}\n) AS t(${columns.join(", ")})`;
}
