import type { FileScan, JoinNode, PlanNode } from "../../plan/node.ts";
import { type ColumnSql, expressionSql, orderSql } from "./expression-sql.ts";
import { quoteName, quoteText } from "./quote.ts";
import { duckdbType } from "./types.ts";

/** A plan as a query in DuckDB's SQL. Its columns are those of the plan, in their order. */
export function planSql(plan: PlanNode): string {
  const names = plan.fields.map(({ name }) => quoteName(name)).join(", ");
  switch (plan.kind) {
    case "scan":
      return `SELECT ${names} FROM ${scanSql(plan)}`;
    case "values":
      return valuesSql(plan);
    case "filter":
      return `SELECT ${names} FROM (${planSql(plan.input)}) WHERE ${expressionSql(plan.where)}`;
    case "project":
      return `SELECT ${plan.columns.map(({ name, expression }) => `${expressionSql(expression)} AS ${quoteName(name)}`).join(", ")} FROM (${planSql(plan.input)})`;
    case "group": {
      const keys = plan.keys.map(({ expression }) => expressionSql(expression));
      const columns = [...plan.keys, ...plan.aggregates].map(
        ({ name, expression }) => `${expressionSql(expression)} AS ${quoteName(name)}`,
      );
      const groupBy = keys.length === 0 ? "" : ` GROUP BY ${keys.join(", ")}`;
      return `SELECT ${columns.join(", ")} FROM (${planSql(plan.input)})${groupBy}`;
    }
    case "join":
      return joinSql(plan);
    case "sort":
      return `SELECT ${names} FROM (${planSql(plan.input)}) ORDER BY ${orderSql(plan.keys)}${plan.limit === null ? "" : ` LIMIT ${plan.limit}`}`;
    case "limit":
      return `SELECT ${names} FROM (${planSql(plan.input)}) LIMIT ${plan.count} OFFSET ${plan.offset}`;
    case "union":
      return plan.inputs.map((input) => `SELECT ${names} FROM (${planSql(input)})`).join(" UNION ALL ");
    default:
      throw new Error(`DuckDB cannot run a ${plan.kind} yet`);
  }
}

const CSV = { delimiter: ",", quote: '"', escape: '"', header: true };

/** The table function that reads files. */
function scanSql({ format, locations, fields, csv }: FileScan): string {
  const files = `[${locations.map(quoteText).join(", ")}]`;
  const columns = `{${fields.map(({ name, type }) => `${quoteText(name)}: ${quoteText(duckdbType(type))}`).join(", ")}}`;
  if (format === "parquet") return `read_parquet(${files}, union_by_name = true)`;
  if (format === "jsonl") return `read_ndjson(${files}, columns = ${columns})`;
  const { delimiter, quote, escape: escaping, header } = csv ?? CSV;
  return `read_csv(${files}, columns = ${columns}, auto_detect = false, delim = ${quoteText(delimiter)}, quote = ${quoteText(quote)}, escape = ${quoteText(escaping)}, header = ${header})`;
}

function valuesSql({ fields, rows }: Extract<PlanNode, { kind: "values" }>): string {
  const names = fields.map(({ name }) => quoteName(name)).join(", ");
  const list = (row: readonly (string | number | boolean | null)[]) =>
    `(${row.map((value, index) => expressionSql({ kind: "literal", value, type: (fields[index] as (typeof fields)[number]).type })).join(", ")})`;
  if (rows.length > 0) return `SELECT ${names} FROM (VALUES ${rows.map(list).join(", ")}) AS given(${names})`;
  return `SELECT ${fields.map(({ name, type }) => `CAST(NULL AS ${duckdbType(type)}) AS ${quoteName(name)}`).join(", ")} WHERE false`;
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

function joinSql({ left, right, how, on, condition, columns }: JoinNode): string {
  const column: ColumnSql = (name, side) => `${side === "right" ? "r" : "l"}.${quoteName(name)}`;
  const conditions = on.map((pair) => `${column(pair.left, "left")} = ${column(pair.right, "right")}`);
  if (condition !== null) conditions.push(expressionSql(condition, column));
  const select = columns.map(({ name, from, column: source, right: other }) =>
    from === "either"
      ? `coalesce(${column(source, "left")}, ${column(other ?? source, "right")}) AS ${quoteName(name)}`
      : `${column(source, from)} AS ${quoteName(name)}`,
  );
  const onSql = how === "cross" ? "" : ` ON ${conditions.length === 0 ? "true" : conditions.join(" AND ")}`;
  return `SELECT ${select.join(", ")} FROM (${planSql(left)}) AS l ${JOINS[how]} (${planSql(right)}) AS r${onSql}`;
}
