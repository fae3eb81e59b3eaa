import {
  explain,
  PostgresSession,
  quoteName,
  quoteText,
  type ReadableColumn,
  type ReadableTable,
  readableTable,
} from "../../connect/postgres/internal.ts";
import { environmentValue, variableName } from "../../environment.ts";
import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import { publicUrl } from "../../postgres-url.ts";
import type { EngineSession } from "../engine/contract.ts";
import type { ExpressionNode } from "../expr/node.ts";
import type { PlanNode, TableScan } from "../plan/node.ts";
import * as type from "../schema/column-type.ts";
import {
  type ColumnField,
  type ColumnType,
  isFloat,
  isInteger,
  type Kind,
  typeText,
} from "../schema/column-type.ts";
import { conjunctsOf } from "./conditions.ts";
import { StagedRows } from "./staged-rows.ts";
import type { StagingArea } from "./staging-area.ts";

/** What a session that reads needs besides: texts of numbers and moments that lose nothing and mean the same everywhere. */
const SETTINGS = { timezone: "UTC", extra_float_digits: "1" };

/** All that is read belongs to one state of the database, and nothing of it is changed. */
const BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/** The columns of a table or a view: see `describeTable`. */
export async function columnsOfTable(url: string, table: string): Promise<readonly ColumnField[]> {
  return await PostgresSession.use(urlOf(url), "pawl reader", async (session) => {
    const { columns } = await readableTable(session, table);
    return columns.map((column) => ({
      name: column.name,
      type: column.notNull ? typeOf(column) : typeOf(column).nullable(),
    }));
  });
}

/**
 * Reads a table at one moment into Parquet files: the columns of the scan, and of the rows those that meet the conditions, as far as
 * the server can be asked for them exactly; rows that do not meet the others are among them. Errors: `data.column`, `data.types`,
 * `data.staging`, `postgres.…`.
 */
export async function stageTable(
  scan: TableScan,
  where: readonly ExpressionNode[],
  {
    session: engine,
    area,
    signal,
  }: {
    readonly session: EngineSession;
    readonly area: StagingArea;
    readonly signal: AbortSignal;
  },
): Promise<PlanNode> {
  const url = urlOf(scan.url);
  const session = await PostgresSession.open(url, "pawl reader", SETTINGS);
  const stop = () => void session.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await session.run(BEGIN);
    const table = await readableTable(session, scan.table);
    const columns = scan.fields.map((field) => checkedColumn(field, table));
    const name = `${table.label} at ${publicUrl(url)}`;
    await using staged = new StagedRows({ session: engine, area, fields: scan.fields, name, signal });
    const copy = session.copyOut(copySql(table, columns, where, staged.hasFiller));
    for await (const { bytes, rows } of copy) {
      signal.throwIfAborted();
      await staged.write(bytes, rows);
    }
    await session.run("COMMIT");
    const { paths, rows } = await staged.finish();
    if (rows !== copy.rows)
      throw new PawlError(
        "data.count",
        `${name} has ${copy.rows} rows and ${rows} were kept: this is a fault of Pawl, please report it.`,
      );
    if (paths.length === 0) return { kind: "values", fields: scan.fields, rows: [] };
    return {
      kind: "scan",
      format: "parquet",
      locations: paths,
      fields: scan.fields,
      hive: [],
      fileColumn: null,
      bad: "fail",
      csv: null,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw explainValue(error, scan) ?? explain(error, url);
  } finally {
    signal.removeEventListener("abort", stop);
    await session.close();
  }
}

/** The URL that `env:NAME` stands for; any other text as it is. */
function urlOf(url: string): string {
  const variable = url.startsWith("env:") ? variableName(url) : null;
  if (variable === null) return url;
  const value = environmentValue(variable);
  if (!value) throw new PawlError("data.address", `${url} names an environment variable that is not set.`);
  return value;
}

// --- types

const TYPES: ReadonlyMap<string, () => ColumnType> = new Map<string, () => ColumnType>([
  ["bool", type.bool],
  ["int2", type.int16],
  ["int4", type.int32],
  ["int8", type.int64],
  ["float4", type.float32],
  ["float8", type.float64],
  ["uuid", type.uuid],
  ["bytea", type.bytes],
  ["date", type.date],
  ["time", type.time],
  ["timestamp", type.timestamp],
  ["timestamptz", type.timestamptz],
  ["json", type.json],
  ["jsonb", type.json],
]);

function typeOf(column: ReadableColumn): ColumnType {
  const element = elementTypeOf(column);
  if (!column.isArray) return element;
  // Bytes in JSON would be text of a form of PostgreSQL's own.
  return element.kind === "bytes" || element.kind === "json" ? type.text() : type.list(element.nullable());
}

function elementTypeOf({ type: name, precision, scale }: ReadableColumn): ColumnType {
  if (
    name === "numeric" &&
    precision !== null &&
    scale !== null &&
    precision <= 38 &&
    scale >= 0 &&
    scale <= precision
  )
    return type.decimal(precision, scale);
  return (TYPES.get(name ?? "") ?? type.text)();
}

interface CheckedColumn {
  readonly column: ReadableColumn;
  readonly field: ColumnField;
}

/** The column of a declared field, where its values have the type that was declared or can be given it without loss. */
function checkedColumn(field: ColumnField, table: ReadableTable): CheckedColumn {
  const column = table.columns.find(({ name }) => name === field.name);
  if (column === undefined) {
    const names = table.columns.map(({ name }) => name);
    throw new PawlError(
      "data.column",
      `${table.label} has no column ${JSON.stringify(field.name)}: ${suggest(field.name, names, `it has ${names.slice(0, 20).join(", ")}.`)}`,
    );
  }
  if (isDeclarable(typeOf(column), field.type)) return { column, field };
  throw new PawlError(
    "data.types",
    `The column ${JSON.stringify(field.name)} of ${table.label} is ${column.declared}, which ${typeText(field.type.notNull())} does not hold: declare ${typeText(typeOf(column))}, or text() for what PostgreSQL writes.`,
  );
}

const WIDER: Readonly<Partial<Record<Kind, readonly Kind[]>>> = {
  int16: ["int32", "int64", "float32", "float64"],
  int32: ["int64", "float64"],
  float32: ["float64"],
};

function isDeclarable(found: ColumnType, declared: ColumnType): boolean {
  if (declared.kind === "text") return true;
  // The engine checks each text, as it does with a CSV.
  if (found.kind === "text")
    return declared.kind !== "list" && declared.kind !== "struct" && declared.kind !== "bytes";
  if (found.kind === "decimal" && declared.kind === "decimal") {
    const [digits, places] = [declared.precision ?? 38, declared.scale ?? 0];
    return places >= (found.scale ?? 0) && digits - places >= (found.precision ?? 38) - (found.scale ?? 0);
  }
  if (
    found.kind === "list" &&
    declared.kind === "list" &&
    found.of !== undefined &&
    declared.of !== undefined
  )
    return isDeclarable(found.of, declared.of);
  if (isInteger(found.kind) && declared.kind === "decimal") return false;
  return found.kind === declared.kind || (WIDER[found.kind]?.includes(declared.kind) ?? false);
}

// --- SQL

function copySql(
  table: ReadableTable,
  columns: readonly CheckedColumn[],
  where: readonly ExpressionNode[],
  hasFiller: boolean,
): string {
  const values = columns.map(valueSql);
  if (hasFiller) values.push("1");
  const conditions = where.flatMap(conjunctsOf).flatMap((each) => conditionSql(each, table) ?? []);
  const filter =
    conditions.length === 0 ? "" : ` WHERE ${conditions.map((each) => `(${each})`).join(" AND ")}`;
  return `COPY (SELECT ${values.join(", ")} FROM ${table.sql}${filter}) TO STDOUT (FORMAT csv, FORCE_QUOTE *, ENCODING 'UTF8')`;
}

/** What begins a text of ours that the server refuses to take for a day: the column's name follows. */
const UNFIT = "pawl unfit ";

/** A value in the form that a CSV of its declared type has. */
function valueSql({ column, field }: CheckedColumn): string {
  const name = quoteName(column.name);
  const { kind } = field.type;
  if (column.isArray && kind === "list") {
    // Numbers as JSON numbers could lose digits on their way.
    const isExact = /^(bool|int2|int4|int8|text|varchar|uuid|date|timestamp)$/.test(column.type ?? "");
    return `pg_catalog.to_json(${name}${isExact ? "" : "::pg_catalog.text[]"})::pg_catalog.text`;
  }
  if (kind === "text") return `${name}::pg_catalog.text`;
  if (kind === "bytes")
    return `pg_catalog.regexp_replace(pg_catalog.encode(${name}, 'hex'), '(..)', '\\\\x\\1', 'g')`;
  if (kind === "bool") return `${name}::pg_catalog.text`;
  if (column.type === "date" || column.type === "timestamp" || column.type === "timestamptz") {
    // Infinity and years before Christ have no ISO form: the server is made to refuse them, with the name of the column.
    const unfit = quoteText(`${UNFIT}${column.name}`);
    return `CASE WHEN pg_catalog.isfinite(${name}) AND ${name} >= '0001-01-01' THEN ${name}::pg_catalog.text WHEN ${name} IS NOT NULL THEN pg_catalog.concat(${unfit}, ${name}::pg_catalog.text)::pg_catalog.date::pg_catalog.text END`;
  }
  return `${name}::pg_catalog.text`;
}

/** The sentence for a day that no column of days can hold; null for any other error. */
function explainValue(error: unknown, { table }: TableScan): PawlError | null {
  const message = error instanceof Error ? error.message : "";
  const at = message.indexOf(UNFIT);
  if (at < 0) return null;
  const told = message.slice(at + UNFIT.length).replace(/"$/, "");
  const [, column = told, value = ""] = /^(.*?)(-?infinity|\d+-\d\d-\d\d.*)$/s.exec(told) ?? [];
  return new PawlError(
    "data.value",
    `The column ${JSON.stringify(column)} of ${table} holds ${value || "a day"}, which no column of days can hold: read a view without such rows, or declare the column as text().`,
    { cause: error },
  );
}

// --- conditions

const OPERATORS: ReadonlyMap<string, string> = new Map([
  ["eq", "="],
  ["ne", "<>"],
  ["lt", "<"],
  ["le", "<="],
  ["gt", ">"],
  ["ge", ">="],
]);

/**
 * A condition in SQL of PostgreSQL, where it means there what it means in an engine; null where it may not. Literals are quoted by the
 * one function for it, since a COPY takes no parameters.
 */
export function conditionSql(node: ExpressionNode, table: ReadableTable): string | null {
  if (node.kind === "column") return node.type.kind === "bool" ? columnSql(node, table, "equal") : null;
  if (node.kind === "literal") return typeof node.value === "boolean" ? String(node.value) : null;
  if (node.kind !== "call") return null;
  const [first, second, third] = node.arguments;
  const operator = OPERATORS.get(node.function);
  if (operator !== undefined) {
    const isEquality = operator === "=" || operator === "<>";
    const [left, right] = [
      operandSql(first, second, table, isEquality),
      operandSql(second, first, table, isEquality),
    ];
    return left === null || right === null ? null : `${left} ${operator} ${right}`;
  }
  switch (node.function) {
    case "and":
    case "or": {
      const parts = node.arguments.map((each) => conditionSql(each, table));
      const known = parts.filter((each) => each !== null);
      if (known.length < parts.length) return null;
      return known.map((each) => `(${each})`).join(node.function === "and" ? " AND " : " OR ");
    }
    case "not": {
      const inner = first === undefined ? null : conditionSql(first, table);
      return inner === null ? null : `NOT (${inner})`;
    }
    case "isNull":
    case "isNotNull": {
      const column = first?.kind === "column" ? columnSql(first, table, "null") : null;
      return column === null ? null : `${column} IS ${node.function === "isNull" ? "" : "NOT "}NULL`;
    }
    case "between": {
      const column = operandSql(first, second, table, false);
      const [low, high] = [operandSql(second, first, table, false), operandSql(third, first, table, false)];
      return column === null || low === null || high === null ? null : `${column} BETWEEN ${low} AND ${high}`;
    }
    case "startsWith": {
      const [column, beginning] = [
        operandSql(first, second, table, true),
        operandSql(second, first, table, true),
      ];
      const isText = first?.type.kind === "text";
      return column === null || beginning === null || !isText
        ? null
        : `pg_catalog.starts_with(${column}, ${beginning})`;
    }
    case "in":
    case "notIn": {
      const parts = node.arguments.map((each, at) =>
        operandSql(each, at === 0 ? second : first, table, true),
      );
      const known = parts.filter((each) => each !== null);
      const [column, ...values] = known;
      if (known.length < parts.length || column === undefined || values.length === 0) return null;
      return `${column} ${node.function === "in" ? "" : "NOT "}IN (${values.join(", ")})`;
    }
    default:
      return null;
  }
}

/** A column or a literal that is compared with `other`; null where the comparison could come out otherwise there. */
function operandSql(
  node: ExpressionNode | undefined,
  other: ExpressionNode | undefined,
  table: ReadableTable,
  isEquality: boolean,
): string | null {
  if (node === undefined || other === undefined) return null;
  if (node.kind === "column") {
    // Two columns may be of types that the server compares in a way of its own.
    if (other.kind !== "literal") return null;
    return columnSql(node, table, isEquality ? "equal" : "ordered");
  }
  if (node.kind !== "literal" || other.kind !== "column" || node.value === null) return null;
  return literalSql(node, other);
}

/** Kinds that a server compares as engines do, by the built-in type of the column. */
const COMPARED: ReadonlyMap<string, readonly Kind[]> = new Map([
  ["bool", ["bool"]],
  ["int2", ["int16", "int32", "int64"]],
  ["int4", ["int32", "int64"]],
  ["int8", ["int64"]],
  ["float4", ["float32", "float64"]],
  ["float8", ["float64"]],
  ["numeric", ["decimal"]],
  ["text", ["text"]],
  ["varchar", ["text"]],
  ["uuid", ["uuid"]],
  ["date", ["date"]],
  ["timestamp", ["timestamp"]],
  ["timestamptz", ["timestamptz"]],
]);

function columnSql(
  { name, type: { kind } }: Extract<ExpressionNode, { readonly kind: "column" }>,
  table: ReadableTable,
  asked: "equal" | "ordered" | "null",
): string | null {
  const column = table.columns.find((each) => each.name === name);
  if (column === undefined) return null;
  if (asked === "null") return quoteName(name);
  if (column.isArray || !COMPARED.get(column.type ?? "")?.includes(kind)) return null;
  // The order of a language is not that of code points, and equal under it may be what differs.
  const isOwnOrder = kind === "text" && !(asked === "equal" && column.deterministic);
  return isOwnOrder ? `${quoteName(name)} COLLATE pg_catalog."C"` : quoteName(name);
}

const LITERAL_TYPES: Readonly<Partial<Record<Kind, string>>> = {
  text: "text",
  uuid: "uuid",
  date: "date",
  timestamp: "timestamp",
  timestamptz: "timestamptz",
};

function literalSql(
  { value, type: literal }: Extract<ExpressionNode, { readonly kind: "literal" }>,
  { type: column }: Extract<ExpressionNode, { readonly kind: "column" }>,
): string | null {
  const text = String(value);
  // No text of the server holds a NUL.
  if (text.includes("\0")) return null;
  const as = (name: string) => `${quoteText(text)}::pg_catalog.${name}`;
  if (column.kind === "bool") return typeof value === "boolean" ? text : null;
  if (isInteger(column.kind)) return isInteger(literal.kind) ? as("int8") : null;
  if (isFloat(column.kind)) {
    // An engine may compare in 32 bits, where other numbers are equal.
    if (column.kind === "float32" && Math.fround(Number(value)) !== Number(value)) return null;
    return isFloat(literal.kind) || isInteger(literal.kind) ? as("float8") : null;
  }
  if (column.kind === "decimal")
    return literal.kind === "decimal" || isInteger(literal.kind) ? as("numeric") : null;
  const name = LITERAL_TYPES[column.kind];
  return name === undefined || literal.kind !== column.kind ? null : as(name);
}
